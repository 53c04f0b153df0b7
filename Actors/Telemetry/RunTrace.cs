using System.Diagnostics;
using Chorus.Actors.Runs;

namespace Chorus.Actors.Telemetry;

/// <summary>
/// A run as spans: the run (this process's part of it, from start or resume to its end), in it the rounds, in them their
/// phases; beside them the phase metrics. Owned by the coordinator, one thread at a time. Spans cost nothing where nobody
/// listens.
/// </summary>
public sealed class RunTrace(string run, TimeProvider time) : IDisposable
{
    private Activity? _run;
    private Activity? _round;
    private Activity? _phase;
    private (RunStep Step, int Round, long Since)? _current;

    /// <summary>The name that a step goes by in metrics and spans.</summary>
    public static string NameOf(RunStep step) => step switch
    {
        RunStep.Start => "start",
        RunStep.Generate => "generate",
        RunStep.CollectFeedback => "feedback",
        RunStep.Learn => "learn",
        RunStep.Evaluate => "evaluate",
        RunStep.WriteSynthetic => "synthesize",
        RunStep.MeasureDownstream => "downstream",
        RunStep.Finish => "report",
        RunStep.Over => "over",
        _ => throw new InvalidOperationException($"unknown step {step}"),
    };

    /// <summary>The step at work is now this one; entering the same step of the same round again changes nothing.</summary>
    public void Enter(RunStep step, int round)
    {
        if (_current is var (before, of, _) && (before, of) == (step, round))
            return;
        LeavePhase();
        _run ??= ChorusMetrics.Activities.StartActivity("run", ActivityKind.Internal, default(ActivityContext), [new("chorus.run", run)]);
        if (_round?.GetTagItem("chorus.round") as int? != round)
        {
            Stop(ref _round);
            if (round > 0)
                _round = Start("round", _run, round);
        }

        _phase = Start(NameOf(step), _round ?? _run, round);
        _current = (step, round, time.GetTimestamp());
        ChorusMetrics.PhaseActive.Record(1, ChorusMetrics.Of(run, "phase", NameOf(step)));
        if (round > 0)
            ChorusMetrics.Round.Record(round, ChorusMetrics.Of(run));
    }

    /// <summary>Something worth a mark on the phase's span: a node lost, a deadline passed.</summary>
    public void Mark(string what) => _phase?.AddEvent(new ActivityEvent(what));

    /// <summary>The run is over for this process.</summary>
    /// <param name="failure">Why it failed; null where it did not.</param>
    public void End(string? failure)
    {
        if (failure is not null)
            _phase?.SetStatus(ActivityStatusCode.Error, failure);
        LeavePhase();
        Stop(ref _round);
        if (failure is not null)
            _run?.SetStatus(ActivityStatusCode.Error, failure);
        Stop(ref _run);
    }

    public void Dispose() => End(null);

    private void LeavePhase()
    {
        Stop(ref _phase);
        if (_current is not var (step, _, since))
            return;
        ChorusMetrics.PhaseActive.Record(0, ChorusMetrics.Of(run, "phase", NameOf(step)));
        ChorusMetrics.PhaseSeconds.Record(time.GetElapsedTime(since).TotalSeconds, ChorusMetrics.Of(run, "phase", NameOf(step)));
        _current = null;
    }

    private Activity? Start(string name, Activity? parent, int round)
    {
        // Named parents: what Activity.Current is on an actor's thread belongs to somebody else.
        var activity = ChorusMetrics.Activities.StartActivity(name, ActivityKind.Internal, parent?.Context ?? default, [new("chorus.run", run)]);
        if (round > 0)
            activity?.SetTag("chorus.round", round);
        return activity;
    }

    private static void Stop(ref Activity? activity)
    {
        activity?.Dispose();
        activity = null;
    }
}
