using System.Collections.Immutable;
using Chorus.Actors.Runs;
using static Chorus.Actors.Runs.RunProtocol;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Actors.Watch;

/// <summary>Where a run stands.</summary>
public enum RunStatus
{
    /// <summary>It goes on in this process.</summary>
    Running,

    /// <summary>It goes on until its round is done.</summary>
    Pausing,

    /// <summary>It stands between two rounds.</summary>
    Paused,

    /// <summary>It is over and came to its end.</summary>
    Done,

    /// <summary>It ended early; it can be resumed.</summary>
    Ended,

    /// <summary>It is not over, and this process does not carry it.</summary>
    Elsewhere,
}

/// <summary>
/// All that a page shows of a run, at one moment. Each With… gives the next one; none looks at a clock. It holds no private
/// text, for nothing that it is made from does: the journal's events, messages about progress, candidates.
/// </summary>
public sealed record RunView
{
    private const int MostHappenings = 200;
    private const int MostGone = 6;

    /// <summary>Two minutes of seconds.</summary>
    private const int Seconds = 120;

    public required RunFacts Facts { get; init; }

    /// <summary>When this was so.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Whether this process carries the run.</summary>
    public bool Live { get; init; } = true;

    /// <summary>What is durably done.</summary>
    public RunHistory History { get; init; } = RunHistory.Empty;

    /// <summary>What was last told of the step at work.</summary>
    public RunProgress? Progress { get; init; }

    /// <summary>When the step at work, or its stage, began, as far as this process knows.</summary>
    public DateTimeOffset StepSince { get; init; }

    public RunHold Hold { get; init; }

    /// <summary>How the run ended in this process; null while it goes on.</summary>
    public RunEnded? Ended { get; init; }

    /// <summary>Null until it is worked out.</summary>
    public BudgetBought? Budget { get; init; }

    /// <summary>Null while there are no candidates, or nobody has looked.</summary>
    public RoundTexts? Texts { get; init; }

    /// <summary>The cluster's nodes: members in the order of their coming, then the last ones that went.</summary>
    public ImmutableArray<NodeView> Nodes { get; init; } = [];

    /// <summary>Votes a second of all nodes, second by second, the newest last, for as long as somebody watched.</summary>
    public ImmutableArray<double> Votes { get; init; } = [];

    /// <summary>Tokens a second of each device, as <see cref="Votes"/>, by "node device".</summary>
    public ImmutableSortedDictionary<string, ImmutableArray<double>> Tokens { get; init; } = ImmutableSortedDictionary<string, ImmutableArray<double>>.Empty;

    /// <summary>What happened in this process beside what the journal tells.</summary>
    public ImmutableArray<Happening> LiveLog { get; init; } = [];

    /// <summary>All that was notable, the newest first.</summary>
    public IEnumerable<Happening> Log => History.Log.Concat(LiveLog).Reverse().OrderByDescending(h => h.At).Take(MostHappenings);

    public RunStatus Status => this switch
    {
        { History.State.Finished: not null } => RunStatus.Done,
        { Ended.Outcome: RunOutcome.Done } => RunStatus.Done,
        { Ended: not null } => RunStatus.Ended,
        { Live: false } => RunStatus.Elsewhere,
        { Hold: RunHold.Held } => RunStatus.Paused,
        { Hold: RunHold.Asked } => RunStatus.Pausing,
        _ => RunStatus.Running,
    };

    /// <summary>The step after the last durable event: what goes on, or would.</summary>
    public (RunStep Step, int Round) AtWork => History.State.Next(Facts.Plan);

    public RunView With(StepBegan began, DateTimeOffset at) => began.Run != Facts.Run ? this : this with { Progress = null, StepSince = at };

    /// <summary>A step has stages where a model is made before it works: each is timed by itself.</summary>
    public RunView With(RunProgress progress, DateTimeOffset at) => progress.Run != Facts.Run
        ? this
        : this with { Progress = progress, StepSince = Progress is { } p && (p.Stage, p.Round) != (progress.Stage, progress.Round) ? at : StepSince };

    public RunView With(HoldChanged changed, DateTimeOffset at) => changed.Run != Facts.Run || changed.Hold == Hold
        ? this
        : (this with { Hold = changed.Hold }).Say(
            HappeningKind.Run,
            changed.Hold switch { RunHold.Asked => "asked to pause after this round", RunHold.Held => "paused", _ => "goes on" },
            at);

    public RunView With(RunEnded ended, DateTimeOffset at) => ended.Run != Facts.Run
        ? this
        : (this with { Ended = ended, Hold = RunHold.None }).Say(ended.Outcome == RunOutcome.Done ? HappeningKind.Run : HappeningKind.Warning, ended.Message, at);

    /// <summary>A node came, went, or changed.</summary>
    public RunView WithNode(string address, IEnumerable<string> roles, NodeStatus status, DateTimeOffset at)
    {
        var known = Nodes.FirstOrDefault(n => n.Address == address);
        // One that was given up leaves in the cluster's words, and one that leaves cannot be reached soon after.
        if (known?.Status == status || (known?.Status, status) is (NodeStatus.Unreachable, NodeStatus.Leaving) or (NodeStatus.Leaving, NodeStatus.Unreachable))
            return this;
        // An address that comes back after it was gone is another process.
        var node = known is null || (known.Status == NodeStatus.Gone && status != NodeStatus.Gone)
            ? new NodeView(address, [.. roles.Order(StringComparer.Ordinal)], status, at, [])
            : known with { Status = status, Since = at };
        var nodes = known is null ? Nodes.Add(node) : Nodes.Replace(known, node);
        return (this with { Nodes = Ordered(nodes) }).Say(
            status is NodeStatus.Unreachable || (status is NodeStatus.Gone && known?.Status is NodeStatus.Unreachable) ? HappeningKind.Warning : HappeningKind.Node,
            status switch
            {
                NodeStatus.Joining => $"node {address} is joining",
                NodeStatus.Up => known?.Status is NodeStatus.Unreachable ? $"node {address} can be reached again" : $"node {address} is up",
                NodeStatus.Leaving => $"node {address} is leaving",
                NodeStatus.Unreachable => $"node {address} cannot be reached",
                _ => known?.Status is NodeStatus.Unreachable ? $"node {address} is lost; what it counted is counted again by others" : $"node {address} has left",
            },
            at);
    }

    /// <summary>A node told how it is.</summary>
    public RunView With(string address, NodeVitals vitals)
    {
        var known = Nodes.FirstOrDefault(n => n.Address == address);
        if (known is null || vitals.Run != Facts.Run)
            return this;
        var node = known.With(vitals);
        var tokens = Tokens;
        foreach (var device in node.Devices)
            tokens = tokens.SetItem($"{address} {device.Name}", Append(tokens.GetValueOrDefault($"{address} {device.Name}", []), device.TokensPerSecond));
        return this with { Nodes = Nodes.Replace(known, node), Tokens = tokens };
    }

    /// <summary>A second is over.</summary>
    public RunView Tick(DateTimeOffset at) => this with
    {
        At = at,
        Votes = Append(Votes, Nodes.Where(n => n.Status is NodeStatus.Up or NodeStatus.Leaving).Sum(n => n.VotesPerSecond)),
    };

    public RunView Say(HappeningKind kind, string text, DateTimeOffset at) =>
        this with { LiveLog = [.. LiveLog.TakeLast(MostHappenings - 1), new Happening(at, kind, text)] };

    private static ImmutableArray<double> Append(ImmutableArray<double> series, double value) => [.. series.TakeLast(Seconds - 1), value];

    private static ImmutableArray<NodeView> Ordered(ImmutableArray<NodeView> nodes) =>
    [
        .. nodes.Where(n => n.Status != NodeStatus.Gone),
        .. nodes.Where(n => n.Status == NodeStatus.Gone).OrderByDescending(n => n.Since).Take(MostGone),
    ];
}
