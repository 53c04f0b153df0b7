using Akka.Actor;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Watch;

/// <summary>What somebody who watches a run may ask of it. Nothing else of a run can be changed from outside.</summary>
public interface IRunControl
{
    /// <summary>Pause when the round at work is done.</summary>
    void Pause();

    /// <summary>Go on; a pause that was asked for is taken back.</summary>
    void GoOn();

    /// <summary>End the run now; it can be resumed.</summary>
    void Stop();
}

/// <summary>Asks the coordinator.</summary>
/// <param name="coordinator">In this process.</param>
/// <param name="run">The run.</param>
public sealed class RunControl(IActorRef coordinator, string run) : IRunControl
{
    public void Pause() => coordinator.Tell(new HoldRun(run, Hold: true), ActorRefs.NoSender);

    public void GoOn() => coordinator.Tell(new HoldRun(run, Hold: false), ActorRefs.NoSender);

    public void Stop() => coordinator.Tell(new StopRun(run), ActorRefs.NoSender);
}
