using System.Buffers;
using Akka.Actor;
using Akka.Event;
using Chorus.Actors.Candidates;
using Chorus.Actors.Collection;
using Chorus.Actors.Hosting;
using Chorus.Actors.Telemetry;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Clients.BlockProtocol;
using static Chorus.Actors.Clients.ClientProtocol;

namespace Chorus.Actors.Clients;

/// <summary>
/// A block of clients: the sharded entity. Its clients are its children, made on demand. It asks those of the cohort for
/// their votes, a few at a time so that memory stays bounded, adds the votes as integers (any order gives the same sum)
/// and hands sum and ids to its node's collector.
/// </summary>
public sealed class BlockActor : UntypedActor
{
    /// <summary>Clients asked at once: enough to keep the cores busy, few enough to bound the votes held.</summary>
    private const int VotesInFlight = 32;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly NodeServices _node;
    private RunOnNode? _run;
    private VoteBlock? _lease;
    private IActorRef _coordinator = ActorRefs.Nobody;
    private IClientWork? _work;
    private CollectorProtocol.BlockCounted? _finished;
    private long[] _sum = [];
    private int[] _sampled = [];
    private int _asked;
    private int _counted;
    private VoteTally _tally = VoteTally.None;

    public BlockActor(NodeServices node) => _node = node;

    /// <param name="node">The actors of this node that a block works with.</param>
    public static Props Props(NodeServices node) => Akka.Actor.Props.Create(() => new BlockActor(node));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case VoteBlock work:
                Begin(work);
                break;
            case RunOnNode run when run.Run == _lease?.Run:
                _run = run;
                AskForWork();
                break;
            case CandidateProtocol.WorkHeld held when held.Sha256 == _lease?.CandidatesSha256 && _work is null:
                _work = held.Work;
                StartVotes();
                break;
            case Vote vote:
                Count(vote);
                break;
            case VoteFailed failed when IsCurrent(failed.Round, failed.Lease):
                Fail($"client {_run!.Corpus.Clients.IdOf(failed.Client)} could not vote ({failed.Reason})");
                break;
            case NodeUnfit unfit when unfit.Run == _lease?.Run:
                Fail(unfit.Reason);
                break;
            case VoteFailed or RunOnNode or CandidateProtocol.WorkHeld or NodeUnfit:
                break; // of work that a newer lease has replaced
            default:
                Unhandled(message);
                break;
        }
    }

    private void Begin(VoteBlock work)
    {
        if (_lease is { } current && current.Run == work.Run && (work.Round, work.Lease).CompareTo((current.Round, current.Lease)) <= 0)
        {
            if (_finished is { } finished && IsCurrent(work.Round, work.Lease))
                Offer(finished);
            return;
        }

        _lease = work;
        _coordinator = Sender;
        _work = null;
        _finished = null;
        if (_run?.Run == work.Run)
        {
            AskForWork();
        }
        else
        {
            _run = null;
            _node.Data.Tell(new GetRunOnNode(work.Run));
        }
    }

    private void AskForWork() =>
        _node.Candidates.Tell(new CandidateProtocol.GetWork(_lease!.Run, _lease.Round, _lease.CandidatesSha256, _run!.Work));

    private void StartVotes()
    {
        var (work, run) = (_lease!, _run!);
        var (first, count) = run.Layout.RangeOf(work.Block);
        if (work.Sampled.Length != (count + 7) / 8)
        {
            Fail($"it holds {count} clients here but was asked for {work.Sampled.Length * 8}: the data differs between nodes");
            return;
        }

        _sum = new long[_work!.VoteLength];
        _sampled = [.. Enumerable.Range(0, count).Where(i => (work.Sampled[i >> 3] >> (i & 7) & 1) != 0).Select(i => first + i)];
        (_asked, _counted, _tally) = (0, 0, VoteTally.None);
        if (_sampled.Length == 0)
            Finish();
        while (_asked < Math.Min(VotesInFlight, _sampled.Length))
            AskNext();
    }

    private void AskNext()
    {
        var client = _sampled[_asked++];
        var name = client.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var actor = Context.Child(name);
        if (actor.IsNobody())
            actor = Context.ActorOf(ClientActor.Props(client, _run!.Corpus.Clients, _run.Encoder), name);
        actor.Tell(new CastVote(_lease!.Run, _lease.Round, _lease.Lease, _work!));
    }

    private void Count(Vote vote)
    {
        if (IsCurrent(vote.Round, vote.Lease) && _finished is null)
        {
            FixedPointGrid.Add(vote.Grid.AsSpan(0, vote.Length), _sum);
            _tally += vote.Kind switch
            {
                VoteKind.NoText => new(1, 0, 0),
                VoteKind.NotFinite => new(0, 1, 0),
                VoteKind.ZeroSpread => new(0, 0, 1),
                _ => VoteTally.None,
            };
            _counted++;
            if (_asked < _sampled.Length)
                AskNext();
            else if (_counted == _sampled.Length)
                Finish();
        }

        ArrayPool<long>.Shared.Return(vote.Grid);
    }

    private void Finish()
    {
        var work = _lease!;
        ChorusMetrics.CountVotes(work.Run, _sampled.Length, _tally);
        _finished = new(work.Run, work.Round, work.Block, work.Lease, _sum, _sampled, _tally);
        Offer(_finished);
    }

    private void Offer(CollectorProtocol.BlockCounted finished) => _node.Collector.Tell(finished);

    private void Fail(string reason)
    {
        var work = _lease!;
        _log.Warning("block {0} of run {1} cannot vote in round {2}: {3}", work.Block, work.Run, work.Round, reason);
        _coordinator.Tell(new BlockFailed(work.Run, work.Round, work.Block, work.Lease, $"block {work.Block}: {reason}"));
        _lease = null;
    }

    private bool IsCurrent(int round, long lease) => _lease is { } work && work.Round == round && work.Lease == lease;
}
