using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Runs;

/// <summary>
/// What somebody who watches the run may ask of it: to pause between two rounds, to go on, to stop. Nothing of it is
/// persisted: a run that is resumed is not paused.
/// </summary>
public sealed partial class RunCoordinatorActor
{
    private RunHold _hold;

    private void OperatorCommands()
    {
        Command<HoldRun>(hold => hold.Run == _context.Run && !_over, hold => SetHold(hold.Hold));
        Command<StopRun>(stop => stop.Run == _context.Run && !_over, _ =>
            End(RunOutcome.Stopped, $"the run was stopped from its page; nothing was lost, go on with --resume --out {_context.Folder.Path}"));
    }

    private void SetHold(bool wanted)
    {
        if (wanted == (_hold != RunHold.None))
            return;
        var held = _hold == RunHold.Held;
        Announce(wanted ? RunHold.Asked : RunHold.None);
        if (held)
            Continue();
    }

    /// <summary>A round that has begun is finished, and so is what comes after the last one once it has begun.</summary>
    private bool HoldsBefore(RunStep step)
    {
        if (_hold == RunHold.None || step is not (RunStep.Generate or RunStep.WriteSynthetic))
            return false;
        Announce(RunHold.Held);
        Publish("paused", 0, 0, "until somebody lets it go on");
        return true;
    }

    private void Announce(RunHold hold)
    {
        _hold = hold;
        Context.System.EventStream.Publish(new HoldChanged(_context.Run, hold));
    }
}
