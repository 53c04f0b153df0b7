using System.Collections.Immutable;
using Akka.Actor;
using Chorus.Gpu.Collectives;
using static Chorus.Actors.Training.TrainingProtocol;

namespace Chorus.Actors.Training;

/// <summary>One a node with the role trainer, under a name that leaders know: makes a trainer for each of the node's devices, for one run at a time.</summary>
public sealed class TrainerHostActor : UntypedActor
{
    /// <summary>Under /user.</summary>
    public const string Name = "trainers";

    private readonly string _node;
    private readonly ImmutableArray<string> _devices;
    private readonly TimeSpan _patience;
    private readonly int _threads;
    private string? _run;
    private ImmutableArray<IActorRef> _trainers = [];
    private int _made;

    /// <param name="node">As people know it.</param>
    /// <param name="devices">auto, cpu, cuda or cuda:N each; the same one may stand there twice on the CPU.</param>
    /// <param name="threads">Threads of an operator of each trainer on the CPU; 0 divides the processors among them.</param>
    /// <param name="patience">For how long a rank may be silent while others wait for it; null is five minutes.</param>
    public TrainerHostActor(string node, IReadOnlyList<string> devices, int threads = 0, TimeSpan? patience = null)
    {
        (_node, _devices, _patience) = (node, [.. devices], patience ?? HostCollective.DefaultPatience);
        _threads = threads > 0 ? threads : Math.Max(1, Environment.ProcessorCount / Math.Max(1, devices.Count));
    }

    /// <inheritdoc cref="TrainerHostActor(string, IReadOnlyList{string}, int, TimeSpan?)"/>
    public static Props Props(string node, IReadOnlyList<string> devices, int threads = 0, TimeSpan? patience = null) =>
        Akka.Actor.Props.Create(() => new TrainerHostActor(node, devices, threads, patience));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case PrepareTrainers prepare when prepare.Run == _run:
                Sender.Tell(new TrainersPromised(prepare.Run, _node, _devices));
                foreach (var trainer in _trainers)
                    trainer.Forward(prepare);
                break;
            case PrepareTrainers prepare:
                foreach (var old in _trainers)
                    Context.Stop(old);
                var job = TrainingJob.FromJson(prepare.Job);
                var leader = Sender;
                _run = prepare.Run;
                _made++;
                _trainers = [.. _devices.Select((device, i) => Context.ActorOf(
                    TrainerActor.Props(prepare.Run, job, _node, device, _threads, _devices.Length, leader, _patience), $"{_made}-{i}"))];
                leader.Tell(new TrainersPromised(prepare.Run, _node, _devices));
                break;
            case Terminated:
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    // A trainer whose actor failed has lost its place in what it did: its leader hears that it is gone.
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Stop);
}
