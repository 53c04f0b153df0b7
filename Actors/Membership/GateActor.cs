using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Event;
using Chorus.Actors.Runs;
using static Chorus.Actors.Membership.GateMessages;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Membership;

/// <summary>
/// One a node, under a path that all versions know: tells who wants to join whether it may, and whoever asks how the cluster
/// is. On the coordinator's node it also turns out members that joined without asking and do not fit.
/// </summary>
public sealed class GateActor : UntypedActor
{
    /// <summary>Its name below /user.</summary>
    public const string Name = "gate";

    private static readonly TimeSpan PatienceWithShards = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PatienceWithCoordinator = TimeSpan.FromSeconds(5);

    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly string _version;
    private readonly RunContext? _run;
    private readonly IActorRef _blocks;
    private RunProgress? _progress;
    private SpendKnown? _budget;
    private RunEnded? _ended;

    public GateActor(string version, RunContext? run, IActorRef blocks) => (_version, _run, _blocks) = (version, run, blocks);

    /// <param name="version">The version that members must have.</param>
    /// <param name="run">The run that this node coordinates; null where it does not.</param>
    /// <param name="blocks">The shard region of client blocks, or its proxy.</param>
    public static Props Props(string version, RunContext? run, IActorRef blocks) => Akka.Actor.Props.Create(() => new GateActor(version, run, blocks));

    protected override void PreStart()
    {
        if (_run is null)
            return;
        _cluster.Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.MemberJoined), typeof(ClusterEvent.MemberUp));
        foreach (var type in new[] { typeof(RunProgress), typeof(SpendKnown), typeof(RunEnded) })
            Context.System.EventStream.Subscribe(Self, type);
    }

    protected override void PostStop()
    {
        _cluster.Unsubscribe(Self);
        Context.System.EventStream.Unsubscribe(Self);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case string text when Read<Question>(text) is { Join: { } join }:
                Sender.Tell(Write(new Answer(Admission.WhyNot(join, _version, Coordinators()))));
                break;
            case string text when Read<Question>(text) is { Status: true }:
                TellStatus(text);
                break;
            case string:
                Sender.Tell(Write(new Answer("this is the gate of a Chorus node, and that was no question it knows")));
                break;
            case ClusterEvent.MemberJoined joined:
                TurnOutUnfit(joined.Member);
                break;
            case ClusterEvent.MemberUp up:
                TurnOutUnfit(up.Member);
                break;
            case RunProgress progress:
                _progress = progress;
                break;
            case SpendKnown budget:
                _budget = budget;
                break;
            case RunEnded ended:
                _ended = ended;
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private IEnumerable<(string Address, string Run)> Coordinators() =>
        from member in _cluster.State.Members
        where member.Address != _cluster.SelfAddress || _run is not null
        let run = Admission.RunOf(member)
        where run is not null
        select (HostAndPort(member.Address), run);

    /// <summary>A member that did not ask at the gate, or lied there.</summary>
    private void TurnOutUnfit(Member member)
    {
        if (member.UniqueAddress.Equals(_cluster.SelfUniqueAddress))
            return;
        var why = Admission.WhyNot(
            new JoinQuestion(member.AppVersion.Version, ChorusVersion.Protocol, Admission.RunOf(member)), _version, [(HostAndPort(_cluster.SelfAddress), _run!.Run)]);
        if (why is null)
            return;
        _log.Error("node {0} is turned out: {1}", HostAndPort(member.Address), why);
        _cluster.Down(member.Address);
    }

    private void TellStatus(string question)
    {
        var asker = Sender;
        // Only the coordinator's node knows how far the run is.
        if (_run is null && _cluster.State.Members.FirstOrDefault(m => Admission.RunOf(m) is not null && !_cluster.State.Unreachable.Contains(m)) is { } coordinator)
        {
            Context.ActorSelection(new RootActorPath(coordinator.Address) / "user" / Name).Ask<string>(question, PatienceWithCoordinator)
                .PipeTo(asker, failure: _ => Write(new Answer($"the coordinator at {HostAndPort(coordinator.Address)} does not answer")));
            return;
        }

        var status = new ClusterStatus(_version, [.. _cluster.State.Members.Select(Of)], RunStatus());
        _blocks.Ask<ClusterShardingStats>(new GetClusterShardingStats(PatienceWithShards), PatienceWithShards + PatienceWithShards).PipeTo(
            asker,
            success: stats => Write(new Answer(Status: status with { Members = [.. status.Members.Select(m => WithShards(m, stats))] })),
            failure: _ => Write(new Answer(Status: status)));
    }

    private MemberStatus Of(Member member) => new(
        HostAndPort(member.Address), [.. member.Roles.Where(role => !Admission.NamesRun(role)).Order(StringComparer.Ordinal)],
        member.Status.ToString().ToLowerInvariant(), !_cluster.State.Unreachable.Contains(member), member.AppVersion.Version, null, null);

    private static MemberStatus WithShards(MemberStatus member, ClusterShardingStats stats)
    {
        var found = stats.Regions.Where(region => HostAndPort(region.Key) == member.Address).Select(region => region.Value.Stats).FirstOrDefault();
        return found is null ? member with { Shards = 0, Blocks = 0 } : member with { Shards = found.Count, Blocks = found.Values.Sum() };
    }

    private RunStatus? RunStatus() => _run is not { } run ? null : new RunStatus(
        run.Run, run.Folder.Path, run.Clients, _progress?.Round ?? 0, run.Settings.Rounds, _progress?.Stage ?? "waiting for nodes", _progress?.Done ?? 0, _progress?.Total ?? 0,
        _progress?.Detail ?? "", _budget?.Spent, _budget?.Budget, run.Delta, _ended?.Message);

    private static string HostAndPort(Address address) => FormattableString.Invariant($"{address.Host}:{address.Port}");
}
