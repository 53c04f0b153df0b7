using Akka.Actor;
using Akka.Event;
using Chorus.Actors.Runs;
using Chorus.Simulation.Aggregation;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Collection;

/// <summary>
/// One a node: adds its blocks' sums and sends the coordinator one partial sum. A block's sum is added only once the
/// coordinator has granted the block to this collector, so however often blocks are leased, computed and offered again,
/// every block is in exactly one partial sum. Memory: one sum, 16 bytes for each block that is in it, and the sums of the
/// blocks whose claims are on their way; nothing for each client.
/// </summary>
public sealed class CollectorActor : UntypedActor, IWithTimers
{
    private const string RetryKey = "claims";

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly IActorRef _coordinator;
    private readonly string _name;
    private readonly TimeSpan _retry;
    private readonly Dictionary<int, (BlockCounted Counted, IActorRef Block)> _claimed = [];
    private readonly SortedDictionary<int, long> _granted = [];
    private string _run = "";
    private int _round;
    private int _attempt;
    private int _incarnation;
    private long[] _sum = [];
    private ClientDigest _clients;
    private VoteTally _tally = VoteTally.None;

    public CollectorActor(IActorRef coordinator, string name, TimeSpan retry)
    {
        _coordinator = coordinator;
        _name = name;
        _retry = retry;
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="coordinator">The run coordinator, or its proxy.</param>
    /// <param name="name">Names this incarnation of this node's collector; no two ever share it.</param>
    /// <param name="retry">How often unanswered claims are repeated.</param>
    public static Props Props(IActorRef coordinator, string name, TimeSpan retry) =>
        Akka.Actor.Props.Create(() => new CollectorActor(coordinator, name, retry));

    protected override void PreStart() => Timers.StartPeriodicTimer(RetryKey, RepeatClaims.Instance, _retry);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case BlockCounted counted when IsNewer(counted):
                Reset(counted.Run, counted.Round, BlockLeases.AttemptOf(counted.Lease));
                Claim(counted);
                break;
            case BlockCounted counted when IsCurrent(counted.Run, counted.Round) && BlockLeases.AttemptOf(counted.Lease) == _attempt:
                Claim(counted);
                break;
            case BlockGranted granted when IsCurrent(granted.Run, granted.Round):
                Fold(granted);
                break;
            case BlockDenied denied when IsCurrent(denied.Run, denied.Round):
                if (_claimed.TryGetValue(denied.Block, out var claim) && claim.Counted.Lease == denied.Lease)
                    _claimed.Remove(denied.Block);
                break;
            case DeliverPartial deliver when IsCurrent(deliver.Run, deliver.Round):
                Deliver(deliver.Part);
                break;
            case DeliverPartial deliver: // asked by mistake of an older time: nothing is held here
                Sender.Tell(new PartialSum(deliver.Run, deliver.Round, Name, [], [], default, VoteTally.None));
                break;
            case RoundClosed closed when IsCurrent(closed.Run, closed.Round):
                Reset(closed.Run, closed.Round, _attempt);
                break;
            case RepeatClaims:
                foreach (var (counted, _) in _claimed.Values)
                    SendClaim(counted);
                break;
            case CollectorRevoked revoked when IsCurrent(revoked.Run, revoked.Round) && revoked.Collector == Name:
                _log.Warning("the coordinator had given this node up; what it counted in round {0} is void and is leased again", _round);
                Retire();
                break;
            case PartialMerged merged when IsCurrent(merged.Run, merged.Round) && merged.Collector == Name:
                Retire();
                break;
            case BlockCounted or BlockGranted or BlockDenied or RoundClosed or CollectorRevoked or PartialMerged:
                break; // of another round or run
            default:
                Unhandled(message);
                break;
        }
    }

    private void Deliver(int part)
    {
        var parts = PartialParts.Of(_sum.Length);
        if ((uint)part < (uint)parts)
        {
            Sender.Tell(new PartialSum(
                _run, _round, Name, [.. _granted.Select(g => new GrantedBlock(g.Key, g.Value))], _sum[PartialParts.RangeOf(part, _sum.Length)], _clients, _tally, part, parts));
        }
    }

    private bool IsCurrent(string run, int round) => run == _run && round == _round;

    private bool IsNewer(BlockCounted counted) =>
        counted.Run != _run || (counted.Round, BlockLeases.AttemptOf(counted.Lease)).CompareTo((_round, _attempt)) > 0;

    private void Reset(string run, int round, int attempt)
    {
        if (run == _run && round == _round && attempt != _attempt)
            _incarnation++; // the coordinator that starts the round again knows nothing of what the old name was granted
        (_run, _round, _attempt) = (run, round, attempt);
        _claimed.Clear();
        Forget();
    }

    private void Forget()
    {
        (_sum, _clients, _tally) = ([], default, VoteTally.None);
        _granted.Clear();
    }

    /// <summary>
    /// Starts an empty sum under a new name: what the old name was granted is merged or void, and can be neither twice.
    /// Claims on their way are made again under the new name.
    /// </summary>
    private void Retire()
    {
        _incarnation++;
        Forget();
        foreach (var (counted, _) in _claimed.Values)
            SendClaim(counted);
    }

    private string Name => $"{_name}/{_incarnation}";

    private void Claim(BlockCounted counted)
    {
        if (_granted.TryGetValue(counted.Block, out var lease) && lease == counted.Lease)
            return; // already in the sum
        _claimed[counted.Block] = (counted, Sender);
        SendClaim(counted);
    }

    private void SendClaim(BlockCounted counted) =>
        _coordinator.Tell(new ClaimBlock(counted.Run, counted.Round, counted.Block, counted.Lease, Name));

    private void Fold(BlockGranted granted)
    {
        if (!_claimed.TryGetValue(granted.Block, out var claim) || claim.Counted.Lease != granted.Lease)
            return; // granted twice, and already in the sum
        _claimed.Remove(granted.Block);
        var (counted, block) = claim;
        if (!_granted.TryAdd(granted.Block, granted.Lease))
        {
            Retire(); // leased anew after all: the block is in this sum under a lease that is dead
            return;
        }

        if (_sum.Length == 0)
            _sum = new long[counted.Sum.Length];
        FixedPointGrid.Add(counted.Sum, _sum);
        _clients += counted.Clients;
        _tally += counted.Tally;
        block.Tell(new BlockTaken(counted.Round, counted.Lease));
    }

    private sealed class RepeatClaims
    {
        public static RepeatClaims Instance { get; } = new();
    }
}
