using System.Collections.Immutable;
using Chorus.Actors.Journals;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Watch;

/// <summary>A phase that is over.</summary>
/// <param name="Round">0 where it belongs to none.</param>
/// <param name="Step"><see cref="RunStep.Start"/> is what came before the first candidates: a tokenizer, a pretrained policy.</param>
public sealed record PhaseSpan(int Round, RunStep Step, DateTimeOffset From, DateTimeOffset To);

/// <summary>What is durably done of a run and when, from its journal.</summary>
/// <param name="State">What is done.</param>
/// <param name="Phases">In the order of time. Where the run stood still, nothing is.</param>
/// <param name="Log">What was notable.</param>
/// <param name="Last">When the last event was written; null before the first.</param>
public sealed record RunHistory(RunState State, ImmutableArray<PhaseSpan> Phases, ImmutableArray<Happening> Log, DateTimeOffset? Last)
{
    /// <summary>Less than this before the first candidates is no phase worth a name.</summary>
    private static readonly TimeSpan Noticeable = TimeSpan.FromSeconds(0.5);

    public static RunHistory Empty { get; } = new(RunState.Empty, [], [], null);

    /// <summary>Rounds that are done to their end.</summary>
    public int RoundsDone => State.Rounds.Count(r => r.Evaluated is not null);

    /// <summary>Releases that were paid for and made.</summary>
    public int Releases => State.Rounds.Count(r => r.Release is not null);

    /// <summary>Reads a run's journal; empty where there is none yet.</summary>
    /// <exception cref="SettingsException">The file is no journal.</exception>
    public static RunHistory Read(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var journal = RunJournal.In(folder);
        return journal.Exists()
            ? journal.Read<IEvent>(RunCoordinatorActor.RunPersistenceId).Aggregate(Empty, (history, e) => history.Apply(e.Event, e.At))
            : Empty;
    }

    /// <param name="e">An event that may follow.</param>
    /// <param name="at">When it was written: the end of the phase that made it.</param>
    public RunHistory Apply(IEvent e, DateTimeOffset at)
    {
        var phases = Phases;
        var made = Made(e);
        if (at < Last)
            at = Last.Value + Length(made?.Seconds ?? 0); // the clock was set back: what a phase measured of itself still holds
        if (made is var (round, step, seconds))
        {
            var from = at - Length(seconds);
            if (Last is { } last && from < last)
                from = last;
            if (e is CandidatesMade { Round: 1 } && Last is { } started && from - started > Noticeable)
                phases = phases.Add(new PhaseSpan(0, RunStep.Start, started, from));
            phases = phases.Add(new PhaseSpan(round, step, from, at));
        }

        var said = Say(e);
        return new RunHistory(State.Apply(e), phases, said is null ? Log : Log.Add(new Happening(at, said.Value.Kind, said.Value.Text)), at);
    }

    private static TimeSpan Length(double seconds) => TimeSpan.FromSeconds(double.IsFinite(seconds) ? Math.Clamp(seconds, 0, TimeSpan.FromDays(3650).TotalSeconds) : 0);

    private static (int Round, RunStep Step, double Seconds)? Made(IEvent e) => e switch
    {
        CandidatesMade m => (m.Round, RunStep.Generate, m.GenerateSeconds),
        ReleaseMade m => (m.Round, RunStep.CollectFeedback, m.FeedbackSeconds),
        PolicyAdvanced m => (m.Round, RunStep.Learn, m.LearnSeconds),
        RoundEvaluated m => (m.Round, RunStep.Evaluate, m.EvaluateSeconds),
        SyntheticWritten m => (0, RunStep.WriteSynthetic, m.Seconds),
        DownstreamMeasured m => (0, RunStep.MeasureDownstream, m.Seconds),
        _ => null,
    };

    private (HappeningKind Kind, string Text)? Say(IEvent e) => e switch
    {
        RunStarted m => (HappeningKind.Run, FormattableString.Invariant($"the run began with {m.Clients:N0} clients")),
        LeasingStarted { Attempt: > 1 } m => (HappeningKind.Warning, FormattableString.Invariant($"round {m.Round}: votes are collected again, attempt {m.Attempt}")),
        ReleaseMade m when m.ClientsCounted < m.ClientsSampled =>
            (HappeningKind.Warning, FormattableString.Invariant($"round {m.Round} closed without {m.ClientsSampled - m.ClientsCounted:N0} of {m.ClientsSampled:N0} clients")),
        RoundEvaluated m => (HappeningKind.Round, FormattableString.Invariant(
            $"round {m.Round} is done: {State.Rounds[^1].Release!.ClientsCounted:N0} clients{Asked(State.Rounds[^1].Release!)}, {(m.Fid is { } fid ? FormattableString.Invariant($"FID {fid:0.####}, ") : "")}epsilon {State.Rounds[^1].Release!.Spend.Epsilon:0.###}")),
        SyntheticWritten m => (HappeningKind.Run, FormattableString.Invariant($"{m.Count:N0} synthetic texts are written")),
        DownstreamMeasured m when m.Arms.FirstOrDefault(a => a.Name is not ("floor" or "ceiling")) is { } arm =>
            (HappeningKind.Run, FormattableString.Invariant($"the downstream model predicts {arm.TestAccuracy:0.0%} of held-out tokens")),
        RunFinished => (HappeningKind.Run, "the run is done"),
        _ => null,
    };

    private static string Asked(ReleaseMade release) => release.Turnout is { } turnout && turnout.Asked > release.ClientsCounted
        ? FormattableString.Invariant($" of {turnout.Asked:N0} asked")
        : "";
}
