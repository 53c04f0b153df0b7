using System.Buffers;
using System.Numerics;
using Akka.Actor;
using Akka.Dispatch;
using Chorus.Actors.Collection;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Clients.ClientProtocol;

namespace Chorus.Actors.Clients;

/// <summary>
/// How a block asks its clients and counts their votes. Where the round's work lets the votes of many clients be one matrix
/// product (<see cref="IBlockScorer"/>) they vote in batches: each sums its texts, the batch is multiplied, each makes its vote
/// of its own row. Else each client makes its whole vote alone. All arithmetic runs on the clients' dispatcher, none here.
/// </summary>
public sealed partial class BlockActor
{
    /// <summary>Clients asked at once, where each votes alone: enough to keep the cores busy, few enough to bound the votes held (64 MiB, or two).</summary>
    private int VotesInFlight => Math.Clamp((1 << 23) / Math.Max(1, _sum.Length), 2, 32);

    /// <summary>While one batch is multiplied the next one's clients sum their texts.</summary>
    private const int BatchesInFlight = 2;

    private readonly List<VoteBatch> _batches = [];
    private long[] _sum = [];
    private int[] _sampled = [];
    private bool[] _voted = [];
    private int _asked;
    private int _batchesMade;
    private ClientDigest _counted;
    private VoteTally _tally = VoteTally.None;
    private readonly MessageDispatcher _clientThreads = Context.System.Dispatchers.Lookup(ClientActor.Dispatcher);
    private Props _clientProps = Akka.Actor.Props.None;
    private int _population;

    private void Ask(int[] sampled)
    {
        (_sampled, _voted, _sum) = (sampled, new bool[sampled.Length], new long[_work!.VoteLength]);
        (_asked, _counted, _tally) = (0, default, VoteTally.None);
        _batches.Clear(); // of an older lease: their rows are still their clients', so the memory is not given back
        if (_sampled.Length == 0)
            Finish();
        else
            AskMore();
    }

    private void AskMore()
    {
        if (_work is not IBlockScorer scorer)
        {
            while (_asked < _sampled.Length && _asked - _counted.Count < VotesInFlight)
                ClientOf(_sampled[_asked++]).Tell(new CastVote(_lease!.Run, _lease.Round, _lease.Lease, _work!));
            return;
        }

        while (_asked < _sampled.Length && _batches.Count < BatchesInFlight)
        {
            var batch = new VoteBatch(_batchesMade++, scorer, _sampled.AsMemory(_asked, Math.Min(VoteBatch.RowsFor(scorer.VoteLength), _sampled.Length - _asked)));
            _batches.Add(batch);
            _asked += batch.Clients.Length;
            for (var row = 0; row < batch.Clients.Length; row++)
                ClientOf(batch.Clients[row]).Tell(new SumTexts(_lease!.Round, _lease.Lease, scorer, batch.RowOf(row)));
        }
    }

    private void Take(TextsSummed summed)
    {
        if (BatchOf(summed.Batch) is { } batch && batch.TakeSum(summed.Row, summed.Client, summed.Kind, summed.Texts))
            Run(batch, BatchStep.Multiplied, batch.Multiply);
    }

    private void Take(VoteFinished voted)
    {
        if (BatchOf(voted.Batch) is { } batch && batch.TakeVote(voted.Row, voted.Client, voted.Kind))
            AddUp(batch);
    }

    /// <summary>A long step on a batch is done, on a thread of the clients' dispatcher.</summary>
    private void Continue(BatchDone done)
    {
        if (!_batches.Contains(done.Batch))
            return; // of an older lease
        switch (done.Step)
        {
            case BatchStep.Failed:
                Fail($"its votes could not be added up ({done.Reason})");
                break;
            case BatchStep.Multiplied:
                var rows = done.Batch.StartFinish();
                foreach (var row in rows)
                {
                    ClientOf(done.Batch.Clients[row]).Tell(
                        new FinishVote(_lease!.Round, _lease.Lease, (IBlockScorer)_work!, done.Batch.RowOf(row), done.Batch.TextsOf(row)));
                }

                if (rows.Count == 0)
                    AddUp(done.Batch);
                break;
            case BatchStep.AddedUp:
                FixedPointGrid.Add(done.Batch.Sum, _sum);
                foreach (var client in done.Batch.Clients)
                    _counted += ClientDigest.Of(client);
                _tally += done.Batch.Tally;
                _batches.Remove(done.Batch);
                done.Batch.Release();
                FinishOrAskMore();
                break;
            default:
                throw new InvalidOperationException($"unknown step {done.Step}");
        }
    }

    private void AddUp(VoteBatch batch)
    {
        var gate = _node.Gate;
        Run(batch, BatchStep.AddedUp, () => batch.AddUp(gate));
    }

    private void Run(VoteBatch batch, BatchStep step, Action work)
    {
        var self = Self;
        _clientThreads.Schedule(() =>
        {
            try
            {
                work();
                self.Tell(new BatchDone(batch, step));
            }
            catch (Exception e)
            {
                self.Tell(new BatchDone(batch, BatchStep.Failed, e.GetType().Name));
            }
        });
    }

    /// <summary>A vote that its client made alone: counted once, at most as long as 1, and zero where it is not what was asked for.</summary>
    private void Count(Vote vote)
    {
        var place = _finished is null && _work is not IBlockScorer ? Array.BinarySearch(_sampled, vote.Client) : -1;
        if (place >= 0 && place < _asked && !_voted[place])
        {
            _voted[place] = true;
            Add(vote);
            _counted += ClientDigest.Of(vote.Client);
            // Once, and only what can be of the pool, which throws at anything else: the rest is left to the collector of garbage.
            if (vote.Grid is { Length: >= 16 } && BitOperations.IsPow2(vote.Grid.Length))
                ArrayPool<long>.Shared.Return(vote.Grid);
            FinishOrAskMore();
        }
    }

    private void Add(Vote vote)
    {
        if (vote.Length != _sum.Length || vote.Grid is null || vote.Grid.Length < vote.Length)
        {
            _tally += VoteTally.OfInvalid;
            return;
        }

        _tally += VoteTally.Of(vote.Kind);
        if (vote.Kind != VoteKind.Counted)
            return;
        var grid = vote.Grid.AsSpan(0, vote.Length);
        if (!_node.Gate.Admit(grid))
            _tally += VoteTally.OfClipped;
        FixedPointGrid.Add(grid, _sum);
    }

    private void FinishOrAskMore()
    {
        if (_counted.Count == _sampled.Length)
            Finish();
        else
            AskMore();
    }

    private bool IsFrom(int client) => Sender.Equals(Context.Child(ClientActor.NameOf(client, _population)));

    private VoteBatch? BatchOf(int id) => _batches.Find(b => b.Id == id);

    /// <summary>From here on the block's clients are those of another run: the ones before are stopped, and keep their names until they are.</summary>
    private void Populate(ClientData data)
    {
        foreach (var client in Context.GetChildren())
            Context.Stop(client);
        _clientProps = _clients(data);
        _population++;
    }

    private IActorRef ClientOf(int client)
    {
        var name = ClientActor.NameOf(client, _population);
        var actor = Context.Child(name);
        return actor.IsNobody() ? Context.ActorOf(_clientProps, name) : actor;
    }

    private enum BatchStep
    {
        Multiplied,
        AddedUp,
        Failed,
    }

    /// <summary>To the block itself.</summary>
    private sealed record BatchDone(VoteBatch Batch, BatchStep Step, string Reason = "");
}
