using System.Diagnostics;
using System.Diagnostics.Metrics;
using Chorus.Actors.Collection;

namespace Chorus.Actors.Telemetry;

/// <summary>
/// What Chorus measures of itself while it runs: one meter and one activity source, both named "Chorus". OpenTelemetry, the
/// live page and tests all read these instruments, so they tell the same numbers. None carries anything private: the clients'
/// counts are on the report too, and epsilon is public.
/// </summary>
/// <remarks>
/// Where several runs could share a process (tests do) an instrument is tagged <c>run</c>. Gauges keep the last value that was
/// recorded under their tags. docs/cluster.md lists the instruments for people.
/// </remarks>
public static class ChorusMetrics
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "Chorus";

    /// <summary>The tag for the run's id.</summary>
    public const string RunTag = "run";

    private static readonly string Version = typeof(ChorusMetrics).Assembly.GetName().Version!.ToString(3);

    private static readonly Meter Meter = new(Name, Version);

    /// <summary>Spans: a run, its rounds, their phases (<see cref="RunTrace"/>).</summary>
    public static ActivitySource Activities { get; } = new(Name, Version);

    // --- The run; recorded by the coordinator's node -----------------------------------------------

    /// <summary>Rounds whose release is made. Tag: run.</summary>
    public static Counter<long> Rounds { get; } = Meter.CreateCounter<long>("chorus.rounds", "{round}", "Rounds whose release is made");

    /// <summary>The round at work, from 1. Tag: run.</summary>
    public static Gauge<int> Round { get; } = Meter.CreateGauge<int>("chorus.round", null, "The round at work, from 1");

    /// <summary>1 for the phase at work, 0 for all others. Tags: run, phase.</summary>
    public static Gauge<int> PhaseActive { get; } = Meter.CreateGauge<int>("chorus.phase.active", null, "1 for the phase at work, 0 for the others");

    /// <summary>How far the phase at work is, in [0, 1]. Tags: run, phase.</summary>
    public static Gauge<double> PhaseProgress { get; } = Meter.CreateGauge<double>("chorus.phase.progress", "1", "How far the phase at work is");

    /// <summary>How long phases took. Tags: run, phase.</summary>
    public static Histogram<double> PhaseSeconds { get; } = Meter.CreateHistogram<double>(
        "chorus.phase.duration", "s", "How long phases took", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000] });

    /// <summary>Clients sampled for the round at work. Tag: run.</summary>
    public static Gauge<long> ClientsSampled { get; } = Meter.CreateGauge<long>("chorus.clients.sampled", "{client}", "Clients sampled for the round at work");

    /// <summary>Clients of the round at work whose blocks are granted. Tag: run.</summary>
    public static Gauge<long> ClientsCounted { get; } = Meter.CreateGauge<long>("chorus.clients.counted", "{client}", "Clients counted so far in the round at work");

    /// <summary>Clients that rounds closed without, at their deadline. Tag: run.</summary>
    public static Counter<long> ClientsLost { get; } = Meter.CreateCounter<long>("chorus.clients.lost", "{client}", "Clients that rounds closed without");

    /// <summary>Blocks of the round at work. Tags: run, state (pending, granted).</summary>
    public static Gauge<int> Blocks { get; } = Meter.CreateGauge<int>("chorus.blocks", "{block}", "Blocks of the round at work by state");

    /// <summary>Blocks that were leased anew because the node that had counted them was lost. Tag: run.</summary>
    public static Counter<long> LeasesRevoked { get; } = Meter.CreateCounter<long>("chorus.leases.revoked", "{block}", "Blocks leased anew because their node was lost");

    /// <summary>Epsilon spent by the ledger's books. Tag: run.</summary>
    public static Gauge<double> EpsilonSpent { get; } = Meter.CreateGauge<double>("chorus.privacy.epsilon.spent", null, "Epsilon spent by the ledger's books");

    /// <summary>The most that may be spent. Tag: run.</summary>
    public static Gauge<double> EpsilonBudget { get; } = Meter.CreateGauge<double>("chorus.privacy.epsilon.budget", null, "The most epsilon that may be spent");

    // --- Every node ---------------------------------------------------------------------------------

    /// <summary>Votes made by this node's clients: its rate is votes a second. Tags: run, kind (cast, no-text, not-finite, zero-spread; clipped and invalid: of clients that lie).</summary>
    public static Counter<long> Votes { get; } = Meter.CreateCounter<long>("chorus.votes", "{vote}", "Votes made by the clients of this node");

    /// <summary>Members of the cluster as this node sees them. Tag: status (up, joining, leaving, unreachable).</summary>
    public static Gauge<int> Members { get; } = Meter.CreateGauge<int>("chorus.members", "{node}", "Members of the cluster as this node sees them");

    /// <summary>Messages that wait for an actor of this node. Tag: actor.</summary>
    public static Gauge<long> QueueLength { get; } = Meter.CreateGauge<long>("chorus.queue.length", "{message}", "Messages that wait for an actor of this node");

    /// <summary>Counts a block's votes, once it is done.</summary>
    /// <param name="votes">All of them, zero votes included.</param>
    public static void CountVotes(string run, int votes, VoteTally tally)
    {
        Votes.Add(votes - tally.Zero - tally.Clipped, Of(run, "kind", "cast"));
        Votes.Add(tally.NoText, Of(run, "kind", "no-text"));
        Votes.Add(tally.NotFinite, Of(run, "kind", "not-finite"));
        Votes.Add(tally.ZeroSpread, Of(run, "kind", "zero-spread"));
        Votes.Add(tally.Clipped, Of(run, "kind", "clipped"));
        Votes.Add(tally.Invalid, Of(run, "kind", "invalid"));
    }

    /// <summary>The tag list of a run's instrument.</summary>
    public static TagList Of(string run) => new() { { RunTag, run } };

    /// <summary>The tag list of a run's instrument with one tag more.</summary>
    public static TagList Of(string run, string tag, string value) => new() { { RunTag, run }, { tag, value } };
}
