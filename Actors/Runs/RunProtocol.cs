using System.Collections.Immutable;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Ledger;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Metrics;

namespace Chorus.Actors.Runs;

/// <summary>What the run coordinator accepts, answers and persists.</summary>
public static class RunProtocol
{
    /// <summary>What is persisted. Fields are only ever added, and then with a default.</summary>
    public interface IEvent : IRunMessage;

    /// <summary>Asks what this run is; every client node does so once.</summary>
    public sealed record GetRunDescription(string Run) : IRunMessage;

    /// <summary>All that a client node needs to take part.</summary>
    /// <param name="Settings">The resolved settings, as run.conf has them; paths in them are full.</param>
    /// <param name="DataSha256">What the node's data must hash to.</param>
    /// <param name="Clients">Clients that take part.</param>
    public sealed record RunDescription(string Run, string Settings, string DataSha256, int Clients) : IRunMessage;

    /// <param name="CohortSeed">What cohorts are drawn from: secret unless the run is to be repeated. Null in old journals: the run's seed.</param>
    public sealed record RunStarted(string Run, string SettingsSha256, string DataSha256, int Clients, ulong? CohortSeed = null) : IEvent;

    public sealed record CandidatesMade(string Run, int Round, string Sha256, int Count, double GenerateSeconds) : IEvent;

    /// <summary>
    /// Blocks of the round are leased from here on. Blocks and collectors outlive the coordinator and remember its leases;
    /// those of a later attempt are newer than all of an earlier one.
    /// </summary>
    public sealed record LeasingStarted(string Run, int Round, int Attempt) : IEvent;

    public sealed record ReleaseMade(
        string Run, int Round, string Sha256, int ClientsSampled, int ClientsCounted, string ClientsSha256, VoteTally Tally,
        PrivacySpend Spend, double FeedbackSeconds, double? PairsKeptRight, Turnout? Turnout = null) : IEvent;

    public sealed record PolicyAdvanced(
        string Run, int Round, string AdapterSha256, int Pairs, int Steps, double FirstLoss, double LastLoss, double RewardAccuracy,
        double LearnSeconds) : IEvent;

    /// <summary>The distances are null where the run does not measure them (evaluation.distances).</summary>
    public sealed record RoundEvaluated(string Run, int Round, double? Fid, double? MeanDistance, double EvaluateSeconds) : IEvent;

    public sealed record SyntheticWritten(
        string Run, string Sha256, int Count, double? Fid, double? MeanDistance, double Seconds, TextMeasures? Texts = null) : IEvent;

    public sealed record DownstreamMeasured(string Run, ImmutableArray<Evaluation.ArmMeasured> Arms, double Seconds) : IEvent;

    public sealed record RunFinished(string Run, double TotalSeconds) : IEvent;

    /// <summary>Published on the event stream of the coordinator's node: what goes on now.</summary>
    public sealed record RunProgress(string Run, int Round, string Stage, long Done, long Total, string Detail);

    /// <summary>Published on the event stream of the coordinator's node: all before it is durable, and this step begins.</summary>
    /// <param name="Round">0 where the step belongs to none.</param>
    public sealed record StepBegan(string Run, RunStep Step, int Round);

    /// <summary>Published on the event stream of the coordinator's node: a round is done.</summary>
    public sealed record RoundReported(string Run, int Round, int ClientsCounted, double? Fid, double Epsilon, string ReleaseSha256);

    /// <summary>Published on the event stream of the coordinator's node, when the ledger's books are open and after each charge.</summary>
    /// <param name="Spent">Epsilon, of all runs on the ledger.</param>
    public sealed record SpendKnown(string Run, double Spent, double Budget);

    /// <summary>Asks the coordinator, from its own process, to stop between two rounds (true), or to go on (false).</summary>
    public sealed record HoldRun(string Run, bool Hold) : ClientProtocol.ILocal;

    /// <summary>Asks the coordinator, from its own process, to end the run now; it can be resumed.</summary>
    public sealed record StopRun(string Run) : ClientProtocol.ILocal;

    /// <summary>Published on the event stream of the coordinator's node: what became of a <see cref="HoldRun"/>.</summary>
    public sealed record HoldChanged(string Run, RunHold Hold);

    /// <summary>Published on the event stream of the coordinator's node, once: the run is over.</summary>
    public sealed record RunEnded(string Run, RunOutcome Outcome, string Message);
}

/// <summary>Whether somebody wants the run to pause.</summary>
public enum RunHold
{
    None,

    /// <summary>It pauses when the round at work is done.</summary>
    Asked,

    /// <summary>It stands between two rounds.</summary>
    Held,
}

/// <summary>How a run ended.</summary>
public enum RunOutcome
{
    Done,
    Failed,
    BadInput,
    BudgetRefused,

    /// <summary>Somebody stopped it; it can be resumed.</summary>
    Stopped,
}
