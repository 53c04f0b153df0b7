using System.Collections.Immutable;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Runs;

/// <summary>What is durably done of one round.</summary>
/// <param name="Attempts">How often its blocks began to be leased.</param>
public sealed record RoundState(
    int Round, CandidatesMade? Candidates = null, ReleaseMade? Release = null, PolicyAdvanced? Policy = null, RoundEvaluated? Evaluated = null,
    int Attempts = 0);

/// <summary>What to do next.</summary>
public enum RunStep
{
    Start,
    Generate,
    CollectFeedback,
    Learn,
    Evaluate,
    WriteSynthetic,
    MeasureDownstream,
    Finish,
    Over,
}

/// <summary>What is durably done of a run, and so what comes next. Rebuilt from the journal by <see cref="Apply"/>.</summary>
public sealed record RunState(
    RunStarted? Started,
    ImmutableArray<RoundState> Rounds,
    SyntheticWritten? Synthetic = null,
    DownstreamMeasured? Downstream = null,
    RunFinished? Finished = null)
{
    public static RunState Empty { get; } = new(null, []);

    /// <summary>The step after the last durable event, and its round (0 where the step belongs to none).</summary>
    /// <param name="plan">Which steps the run has.</param>
    public (RunStep Step, int Round) Next(RunPlan plan)
    {
        if (Started is null)
            return (RunStep.Start, 0);
        if (Finished is not null)
            return (RunStep.Over, 0);
        if (Rounds is not [] && NextOf(Rounds[^1]) is { } step)
            return (step, Rounds.Length);
        if (Rounds.Length < plan.Rounds)
            return (RunStep.Generate, Rounds.Length + 1);
        if (plan.WritesTexts && Synthetic is null)
            return (RunStep.WriteSynthetic, 0);
        return plan.Downstream && Downstream is null ? (RunStep.MeasureDownstream, 0) : (RunStep.Finish, 0);
    }

    /// <exception cref="InvalidOperationException">The event cannot follow: the journal is damaged or of another run.</exception>
    public RunState Apply(IEvent @event)
    {
        if (Started is not null && Started.Run != @event.Run)
            throw Damaged(@event);
        return @event switch
        {
            RunStarted started when Started is null => this with { Started = started },
            CandidatesMade made when Started is not null && made.Round == Rounds.Length + 1 =>
                this with { Rounds = Rounds.Add(new RoundState(made.Round, made)) },
            LeasingStarted started when Last(started.Round) is { Release: null } last && started.Attempt == last.Attempts + 1 =>
                Replace(last with { Attempts = started.Attempt }),
            ReleaseMade made when Last(made.Round) is { Release: null } last => Replace(last with { Release = made }),
            PolicyAdvanced advanced when Last(advanced.Round) is { Release: not null, Policy: null } last => Replace(last with { Policy = advanced }),
            RoundEvaluated evaluated when Last(evaluated.Round) is { Policy: not null, Evaluated: null } last => Replace(last with { Evaluated = evaluated }),
            SyntheticWritten written when Synthetic is null => this with { Synthetic = written },
            DownstreamMeasured measured when Downstream is null => this with { Downstream = measured },
            RunFinished finished when Finished is null => this with { Finished = finished },
            _ => throw Damaged(@event),
        };
    }

    private static RunStep? NextOf(RoundState round) => round switch
    {
        { Release: null } => RunStep.CollectFeedback,
        { Policy: null } => RunStep.Learn,
        { Evaluated: null } => RunStep.Evaluate,
        _ => null,
    };

    private RoundState? Last(int round) => round == Rounds.Length && round > 0 ? Rounds[^1] : null;

    private RunState Replace(RoundState round) => this with { Rounds = Rounds.SetItem(Rounds.Length - 1, round) };

    private static InvalidOperationException Damaged(IEvent @event) =>
        new($"the run's journal is damaged or of another run: {@event.GetType().Name} cannot follow");
}
