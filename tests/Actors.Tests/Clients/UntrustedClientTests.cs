using System.Buffers;
using System.Runtime.InteropServices;
using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Clients;
using Chorus.Actors.Hosting;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;
using static Chorus.Actors.Candidates.CandidateProtocol;
using static Chorus.Actors.Clients.BlockProtocol;
using static Chorus.Actors.Clients.ClientProtocol;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Tests.Clients;

/// <summary>
/// Clients that do not keep to the protocol, in a block with honest ones: the block counts each once, adds no more than norm 1 of it,
/// and what the honest ones say is untouched.
/// </summary>
public sealed class UntrustedClientTests() : TestKit(TinyNode.Hocon)
{
    private const int Clients = 12;
    private const int Liar = 5;
    private const long One = FixedPointGrid.UnitsPerOne;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TinyNode _node = new(Clients);

    public static TheoryData<string> Lies => [.. LyingClient.Lies.Keys];

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task Given_a_client_that_lies_When_counted_Then_it_moves_the_sum_by_at_most_1_and_is_counted_once(string lie)
    {
        var alone = lie.StartsWith("alone", StringComparison.Ordinal);
        IVoteScorer scorer = alone ? new AloneScorer(_node.Scorer) : _node.Scorer;
        var without = await CountAsync("none", scorer, [.. Enumerable.Range(0, Clients).Where(c => c != Liar)]);
        var with = await CountAsync(lie, scorer, [.. Enumerable.Range(0, Clients)]);

        Assert.Equal(ClientDigest.Of(Enumerable.Range(0, Clients)), with.Clients);
        var moved = with.Sum.Zip(without.Sum, (a, b) => (Int128)(a - b) * (a - b)).Aggregate(Int128.Zero, (a, b) => a + b);
        Assert.True(moved <= (Int128)One * One, $"the liar moves the sum by sqrt({moved}) grid units");
        var told = with.Tally;
        Assert.Equal(without.Tally with { Clipped = told.Clipped, Invalid = told.Invalid, NoText = told.NoText }, told);
        var (clipped, invalid) = LyingClient.Expected(lie);
        Assert.Equal((clipped, invalid), (told.Clipped, told.Invalid));
    }

    private async Task<BlockCounted> CountAsync(string lie, IVoteScorer scorer, int[] sampled)
    {
        TestProbe data = CreateTestProbe(), candidates = CreateTestProbe(), collector = CreateTestProbe();
        var block = Sys.ActorOf(BlockActor.Props(
            new NodeServices(data, candidates, collector, VoteGate.Clipping), of => LyingClient.Props(of, lie)));
        block.Tell(new VoteBlock("run", 1, 0, 1, "sha", [.. BitsOf(sampled)]), CreateTestProbe());
        await data.ExpectMsgAsync<GetRunOnNode>(Patience);
        data.Reply(_node.Run());
        await candidates.ExpectMsgAsync<GetWork>(Patience);
        candidates.Reply(new WorkHeld("sha", scorer));
        return await collector.ExpectMsgAsync<BlockCounted>(Patience);
    }

    private static IEnumerable<byte> BitsOf(int[] clients) =>
        Enumerable.Range(0, (Clients + 7) / 8).Select(b => (byte)clients.Where(c => c / 8 == b).Sum(c => 1 << (c % 8)));

    protected override void AfterAll()
    {
        base.AfterAll();
        _node.Dispose();
    }

    /// <summary>Honest, but for one client and one lie.</summary>
    private sealed class LyingClient(ClientData data, string lie) : UntypedActor
    {
        private readonly IActorRef _honest = Context.ActorOf(ClientActor.Props(data), Context.Self.Path.Name);
        private readonly int _client = int.Parse(Context.Self.Path.Name.Split('.')[0], System.Globalization.CultureInfo.InvariantCulture);

        /// <summary>What a client says after the question, in place of the honest answer.</summary>
        public static readonly Dictionary<string, Action<LyingClient, object>> Lies = new()
        {
            ["batch: a vote as long as can be"] = (c, q) => c.Finished(q, vote => vote.Fill(long.MaxValue)),
            ["batch: a vote of one number too many"] = (c, q) => c.Finished(q, vote => vote[0] = vote[1] = One),
            ["batch: products left as they are"] = (c, q) => c.Finished(q, _ => { }),
            ["batch: not a number"] = (c, q) => c.Finished(q, vote => MemoryMarshal.Cast<long, double>(vote).Fill(double.NaN)),
            ["batch: the vote twice"] = (c, q) => { c.Finished(q, v => Set(v, One)); c.Finished(q, v => Set(v, One)); },
            ["batch: a kind that is none"] = (c, q) => c.Finished(q, vote => vote.Fill(7), (VoteKind)77),
            ["batch: no text, and a vote all the same"] = (c, q) => c.Finished(q, vote => vote.Fill(One), VoteKind.NoText),
            ["batch: the votes of all others"] = (c, q) =>
            {
                if (q is FinishVote f)
                {
                    for (var other = 0; other < Clients; other++)
                        Context.Parent.Tell(new VoteFinished(other, f.Round, f.Lease, f.Row.Batch, other, VoteKind.NoText));
                }

                c.Finished(q, vote => Set(vote, One));
            },
            ["batch: rows and batches that are not there"] = (c, q) =>
            {
                if (q is FinishVote f)
                {
                    foreach (var row in (int[])[-1, int.MaxValue, 63])
                        Context.Parent.Tell(new VoteFinished(Liar, f.Round, f.Lease, f.Row.Batch, row, VoteKind.Counted));
                    Context.Parent.Tell(new VoteFinished(Liar, f.Round, f.Lease, f.Row.Batch + 1, f.Row.Row, VoteKind.Counted));
                    Context.Parent.Tell(new VoteFinished(Liar, f.Round + 1, f.Lease, f.Row.Batch, f.Row.Row, VoteKind.Counted));
                    Context.Parent.Tell(new VoteFinished(Liar, f.Round, f.Lease + 1, f.Row.Batch, f.Row.Row, VoteKind.Counted));
                }

                c.Finished(q, vote => Set(vote, One));
            },
            ["batch: a sum that is no number, and a count of texts below nothing"] = (c, q) =>
            {
                if (q is SumTexts s)
                {
                    s.Row.Summary.Span.Fill(double.PositiveInfinity);
                    Context.Parent.Tell(new TextsSummed(Liar, s.Round, s.Lease, s.Row.Batch, s.Row.Row, VoteKind.Counted, int.MinValue));
                }
                else
                {
                    c.Finished(q, vote => Set(vote, One));
                }
            },
            ["alone: a vote as long as can be"] = (c, q) => c.Voted(q, vote => vote.Fill(long.MinValue)),
            ["alone: a vote of another length"] = (c, q) => c.Voted(q, vote => Set(vote, One), length: 3),
            ["alone: a length beyond the array"] = (c, q) => c.Voted(q, vote => Set(vote, One), array: 2),
            ["alone: no array"] = (c, q) => c.Voted(q, _ => { }, array: -1),
            ["alone: the vote twice"] = (c, q) => { c.Voted(q, v => Set(v, One)); c.Voted(q, v => Set(v, -One)); },
            ["alone: the votes of all others"] = (c, q) =>
            {
                for (var other = 0; other < Clients && q is CastVote; other++)
                    Context.Parent.Tell(new Vote(other, 1, 1, VoteKind.Counted, ArrayPool<long>.Shared.Rent(6), 6));
                c.Voted(q, vote => Set(vote, One));
            },
            ["alone: another round and lease, then its own"] = (c, q) =>
            {
                Context.Parent.Tell(new Vote(Liar, 2, 1, VoteKind.Counted, ArrayPool<long>.Shared.Rent(6), 6));
                Context.Parent.Tell(new Vote(Liar, 1, 2, VoteKind.Counted, ArrayPool<long>.Shared.Rent(6), 6));
                c.Voted(q, vote => Set(vote, One));
            },
        };

        public static Props Props(ClientData data, string lie) => Akka.Actor.Props.CreateBy(new Producer(data, lie));

        public static (int Clipped, int Invalid) Expected(string lie) => lie[(lie.IndexOf(' ', StringComparison.Ordinal) + 1)..] switch
        {
            "a vote as long as can be" or "a vote of one number too many" or "products left as they are" or "not a number" => (1, 0),
            "a kind that is none" or "a vote of another length" or "a length beyond the array" or "no array" => (0, 1),
            _ => (0, 0),
        };

        protected override void OnReceive(object message)
        {
            if (Sender.Equals(_honest))
                Context.Parent.Tell(message); // as its own
            else if (_client != Liar || lie == "none" || (message is SumTexts && !lie.Contains("a sum", StringComparison.Ordinal)))
                _honest.Tell(message);
            else
                Lies[lie](this, message);
        }

        private static void Set(Span<long> vote, long first)
        {
            vote.Clear();
            vote[0] = first;
        }

        private void Finished(object question, SpanAction act, VoteKind kind = VoteKind.Counted)
        {
            if (question is not FinishVote f)
                return;
            act(MemoryMarshal.Cast<double, long>(f.Row.Vote.Span));
            Context.Parent.Tell(new VoteFinished(_client, f.Round, f.Lease, f.Row.Batch, f.Row.Row, kind));
        }

        private void Voted(object question, SpanAction act, int length = 6, int array = 6)
        {
            if (question is not CastVote cast)
                return;
            var grid = array < 0 ? null! : new long[array];
            if (grid is not null)
                act(grid);
            Context.Parent.Tell(new Vote(_client, cast.Round, cast.Lease, VoteKind.Counted, grid!, length));
        }

        private delegate void SpanAction(Span<long> vote);

        private sealed class Producer(ClientData data, string lie) : IIndirectActorProducer
        {
            public Type ActorType => typeof(LyingClient);

            public ActorBase Produce() => new LyingClient(data, lie);

            public void Release(ActorBase actor)
            {
            }
        }
    }
}
