using Akka.Actor;
using Akka.Event;
using Chorus.Actors.Candidates;
using Chorus.Actors.Collection;
using Chorus.Actors.Hosting;
using Chorus.Actors.Telemetry;
using Chorus.Simulation.Federation;
using static Chorus.Actors.Clients.BlockProtocol;
using static Chorus.Actors.Clients.ClientProtocol;

namespace Chorus.Actors.Clients;

/// <summary>
/// A block of clients: the sharded entity. Its clients are its children, made on demand. It asks those of the cohort for
/// their votes, a few at a time so that memory stays bounded, adds the votes as integers (any order gives the same sum)
/// and hands the sum to its node's collector. This file: leases; how votes are asked for and counted is in BlockActor.Votes.cs.
/// </summary>
public sealed partial class BlockActor : UntypedActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly NodeServices _node;
    private readonly Func<ClientData, Props> _clients;
    private RunOnNode? _run;
    private VoteBlock? _lease;
    private IActorRef _coordinator = ActorRefs.Nobody;
    private IClientWork? _work;
    private CollectorProtocol.BlockCounted? _finished;

    public BlockActor(NodeServices node, Func<ClientData, Props> clients) => (_node, _clients) = (node, clients);

    /// <param name="node">The actors of this node that a block works with.</param>
    /// <param name="clients">Makes the clients: tests have some that lie.</param>
    public static Props Props(NodeServices node, Func<ClientData, Props>? clients = null) =>
        Akka.Actor.Props.Create(() => new BlockActor(node, clients ?? ClientActor.Props));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case VoteBlock work:
                Begin(work);
                break;
            case RunOnNode run when run.Run == _lease?.Run:
                _run = run;
                Populate(run.Clients);
                AskForWork();
                break;
            case CandidateProtocol.WorkHeld held when held.Sha256 == _lease?.CandidatesSha256 && _work is null:
                _work = held.Work;
                StartVotes();
                break;
            case Vote vote when IsCurrent(vote.Round, vote.Lease) && IsFrom(vote.Client):
                Count(vote);
                break;
            case TextsSummed summed when IsCurrent(summed.Round, summed.Lease) && IsFrom(summed.Client):
                Take(summed);
                break;
            case VoteFinished voted when IsCurrent(voted.Round, voted.Lease) && IsFrom(voted.Client):
                Take(voted);
                break;
            case BatchDone done:
                Continue(done);
                break;
            case CollectorProtocol.BlockTaken taken when IsCurrent(taken.Round, taken.Lease):
                _finished = null; // it is in the node's sum: under this lease nobody asks for it again
                break;
            case VoteFailed failed when IsCurrent(failed.Round, failed.Lease) && IsFrom(failed.Client):
                // Not a lie to be put up with: it is the node's own disk or encoder that does not work.
                Fail($"client {_run!.Corpus.Clients.IdOf(failed.Client)} could not vote ({failed.Reason})");
                break;
            case NodeUnfit unfit when unfit.Run == _lease?.Run:
                Fail(unfit.Reason);
                break;
            case Vote or VoteFailed or TextsSummed or VoteFinished or CollectorProtocol.BlockTaken or RunOnNode or CandidateProtocol.WorkHeld or NodeUnfit:
                break; // of work that a newer lease has replaced, or from somebody who is not the client that it names
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

        Ask([.. Enumerable.Range(0, count).Where(i => (work.Sampled[i >> 3] >> (i & 7) & 1) != 0).Select(i => first + i)]);
    }

    private void Finish()
    {
        var work = _lease!;
        ChorusMetrics.CountVotes(work.Run, _counted.Count, _tally);
        _finished = new(work.Run, work.Round, work.Block, work.Lease, _sum, _counted, _tally);
        _sum = [];
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
