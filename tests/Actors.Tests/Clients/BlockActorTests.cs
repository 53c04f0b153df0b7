using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Hosting;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Federation;
using CsCheck;
using static Chorus.Actors.Candidates.CandidateProtocol;
using static Chorus.Actors.Clients.BlockProtocol;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Tests.Clients;

public sealed class BlockActorTests : TestKit
{
    private const int Clients = 150; // two whole batches and a part of one

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TinyNode _node = new(Clients);
    private readonly TestProbe _data;
    private readonly TestProbe _candidates;
    private readonly TestProbe _collector;
    private readonly TestProbe _coordinator;
    private readonly IActorRef _block;

    public BlockActorTests()
        : base(TinyNode.Hocon)
    {
        (_data, _candidates, _collector, _coordinator) = (CreateTestProbe(), CreateTestProbe(), CreateTestProbe(), CreateTestProbe());
        _block = Sys.ActorOf(BlockActor.Props(new NodeServices(_data, _candidates, _collector, VoteGate.Clipping)));
    }

    [Fact]
    public async Task Given_a_sampled_block_When_leased_Then_it_counts_the_sampled_clients_and_no_other()
    {
        await LeaseAsync(1, sampled: [3, 4, 149]);
        var counted = await CountedAsync();

        Assert.Equal(ClientDigest.Of([3, 4, 149]), counted.Clients);
        Assert.Equal(1, counted.Tally.NoText); // client 4
        Assert.NotEqual(0, counted.Sum[0]);
    }

    // One vote of bits that differ would show: batch and row, neighbours and order are all others than alone.
    [Fact]
    public async Task Given_any_cohort_When_its_clients_vote_in_batches_or_each_alone_Then_the_sums_are_the_same()
    {
        var random = new Random(1);
        await LeaseAsync(1);
        await CountedAsync();
        for (var lease = 2; lease < 20; lease += 2)
        {
            int[] sampled = [.. Enumerable.Range(0, Clients).Where(_ => random.Next(3) > 0)];
            Tell(Vote(lease) with { Sampled = Bits(sampled) });
            await HoldAsync();
            var together = await CountedAsync();
            Tell(Vote(lease + 1) with { Sampled = Bits(sampled) });
            await HoldAsync(new AloneScorer(_node.Scorer));
            var alone = await CountedAsync();
            Assert.Equal(together with { Lease = alone.Lease, Sum = alone.Sum }, alone);
            Assert.Equal(together.Sum, alone.Sum);
            Assert.Contains(alone.Sum, v => v != 0);
        }
    }

    [Fact]
    public async Task Given_a_sum_that_was_taken_When_its_lease_is_repeated_Then_it_is_neither_offered_nor_computed_again()
    {
        await LeaseAsync(1);
        await CountedAsync();
        _block.Tell(new BlockTaken(1, 1));
        Tell(Vote(1));
        Assert.NotNull(await _block.Ask<ActorIdentity>(new Identify(1), Patience));
        await _collector.ExpectNoMsgAsync(TimeSpan.Zero);
        await _candidates.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Theory]
    [InlineData(true, 128)]   // two batches of 64
    [InlineData(false, 32)]
    public async Task Given_more_clients_than_are_asked_at_once_When_leased_Then_so_many_are_asked_and_the_rest_as_votes_come(bool together, int asked)
    {
        using var gate = new ManualResetEventSlim();
        var entered = 0;
        await LeaseAsync(1, encoder: new HookedEncoder(_node.Encoder, _ =>
        {
            Interlocked.Increment(ref entered);
            gate.Wait(Patience);
        }), work: together ? null : new AloneScorer(_node.Scorer));
        await AwaitAssertAsync(() => Assert.True(Volatile.Read(ref entered) > 0), Patience);
        await _block.Ask<ActorIdentity>(new Identify(1), Patience); // all that it does in one go is done

        Assert.Equal(asked, ((ActorRefWithCell)_block).Children.Count());
        gate.Set();
        Assert.Equal(Clients, (await CountedAsync()).Clients.Count);
        Assert.Equal(Clients, entered);
    }

    [Fact]
    public async Task Given_a_finished_block_When_its_lease_is_repeated_Then_it_offers_the_same_sum_without_computing_it_again()
    {
        await LeaseAsync(1);
        var first = await CountedAsync();
        Tell(Vote(1));
        Assert.Same(first, await CountedAsync());
        await _candidates.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task Given_a_finished_block_When_an_older_lease_comes_Then_it_is_ignored_and_a_newer_one_is_computed_anew()
    {
        await LeaseAsync(2);
        var first = await CountedAsync();
        Tell(Vote(1));
        Tell(Vote(3));
        await HoldAsync();
        var second = await CountedAsync();

        Assert.Equal(3, second.Lease);
        Assert.NotSame(first.Sum, second.Sum);
        Assert.Equal(first.Sum, second.Sum);
        await _collector.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task Given_votes_under_way_When_a_newer_lease_comes_Then_the_old_votes_are_not_counted_in_it()
    {
        using var gate = new ManualResetEventSlim();
        await LeaseAsync(1, encoder: new HookedEncoder(_node.Encoder, _ => gate.Wait(Patience)));
        Tell(Vote(2));
        await _candidates.ExpectMsgAsync<GetWork>(Patience);
        gate.Set();
        _candidates.Reply(new WorkHeld("sha", _node.Scorer));
        var counted = await CountedAsync();

        Assert.Equal((2L, Clients), (counted.Lease, counted.Clients.Count));
        Tell(Vote(3));
        await HoldAsync();
        Assert.Equal(counted.Sum, (await CountedAsync()).Sum);
    }

    [Fact]
    public async Task Given_a_node_that_is_unfit_When_leased_Then_the_coordinator_hears_why()
    {
        Tell(Vote(1));
        await _data.ExpectMsgAsync<GetRunOnNode>(Patience);
        _data.Reply(new NodeUnfit("run", "other data"));
        var failed = await _coordinator.ExpectMsgAsync<BlockFailed>(Patience);
        Assert.Equal(new BlockFailed("run", 1, 0, 1, "block 0: other data"), failed);
    }

    [Fact]
    public async Task Given_bits_for_another_number_of_clients_When_leased_Then_the_block_fails_rather_than_counts_others()
    {
        Tell(Vote(1) with { Sampled = [0xff] });
        await _data.ExpectMsgAsync<GetRunOnNode>(Patience);
        _data.Reply(_node.Run());
        await HoldAsync();
        Assert.Contains("data differs", (await _coordinator.ExpectMsgAsync<BlockFailed>(Patience)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_client_that_cannot_vote_When_leased_Then_the_block_fails_and_names_the_client_and_no_text()
    {
        await LeaseAsync(1, encoder: new HookedEncoder(_node.Encoder, texts =>
        {
            if (texts.Count == 3)
                throw new InvalidDataException(texts[0]);
        }));
        var reason = (await _coordinator.ExpectMsgAsync<BlockFailed>(Patience)).Reason;
        Assert.Contains("client-003", reason, StringComparison.Ordinal);
        Assert.DoesNotContain(TinyCorpus.Canary, reason, StringComparison.Ordinal);
    }

    // Client i has i mod 4 texts: none, one that encodes to zero, two with an infinity, three with a NaN.
    [Fact]
    public async Task Given_embeddings_that_are_zero_or_not_finite_When_leased_Then_those_clients_are_counted_with_a_zero_vote()
    {
        await LeaseAsync(1, sampled: [0, 1, 2, 3, 5, 7], encoder: new BrokenEncoder(_node.Encoder.Dimension));
        var counted = await CountedAsync();

        Assert.Equal(ClientDigest.Of([0, 1, 2, 3, 5, 7]), counted.Clients);
        Assert.Equal(new VoteTally(NoText: 1, NotFinite: 3, ZeroSpread: 2), counted.Tally);
        Assert.All(counted.Sum, v => Assert.Equal(0, v));
    }

    // Adding or removing one client, whoever else is there, moves what is released before noise by at most 1 in L2.
    [Fact]
    public async Task Given_any_cohort_When_one_client_joins_it_Then_the_sum_moves_by_at_most_the_sensitivity()
    {
        await LeaseAsync(1, sampled: []);
        Assert.All((await CountedAsync()).Sum, v => Assert.Equal(0, v));
        var lease = 1;
        var furthest = 0.0;
        await Gen.Select(Gen.Bool.Array[Clients], Gen.Int[0, Clients - 1]).SampleAsync(
            async drawn =>
            {
                var (cohort, client) = drawn;
                cohort[client] = false;
                var without = await SumAsync();
                cohort[client] = true;
                var with = await SumAsync();
                var squared = with.Zip(without, (a, b) => (Int128)(a - b) * (a - b)).Aggregate(Int128.Zero, (a, b) => a + b);
                furthest = Math.Max(furthest, Math.Sqrt((double)squared) / (1 << 24));
                Assert.True(squared <= (Int128)1 << 48, $"client {client} moves the sum by sqrt({squared}) / 2^24");

                async Task<long[]> SumAsync()
                {
                    Tell(Vote(++lease) with { Sampled = Bits(Enumerable.Range(0, Clients).Where(c => cohort[c])) });
                    await HoldAsync();
                    return (await CountedAsync()).Sum;
                }
            },
            iter: 60,
            threads: 1);
        Assert.True(furthest > 0.999, $"no client came near the bound, the furthest moved the sum by {furthest}");
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        _node.Dispose();
    }

    private static VoteBlock Vote(long lease) => new("run", 1, 0, lease, "sha", Bits(Enumerable.Range(0, Clients)));

    private static byte[] Bits(IEnumerable<int> clients)
    {
        var bits = new byte[(Clients + 7) / 8];
        foreach (var client in clients)
            bits[client / 8] |= (byte)(1 << (client % 8));
        return bits;
    }

    private void Tell(VoteBlock vote) => _block.Tell(vote, _coordinator);

    private async Task LeaseAsync(long lease, int[]? sampled = null, ISentenceEncoder? encoder = null, IClientWork? work = null)
    {
        Tell(Vote(lease) with { Sampled = Bits(sampled ?? Enumerable.Range(0, Clients)) });
        Assert.Equal(new GetRunOnNode("run"), await _data.ExpectMsgAsync<GetRunOnNode>(Patience));
        _data.Reply(_node.Run(encoder));
        await HoldAsync(work);
    }

    private async Task HoldAsync(IClientWork? work = null)
    {
        var get = await _candidates.ExpectMsgAsync<GetWork>(Patience);
        Assert.Equal(("run", 1, "sha"), (get.Run, get.Round, get.Sha256));
        _candidates.Reply(new WorkHeld("sha", work ?? _node.Scorer));
    }

    private async Task<BlockCounted> CountedAsync() => await _collector.ExpectMsgAsync<BlockCounted>(Patience);

    private sealed class BrokenEncoder(int dimension) : ISentenceEncoder
    {
        public int Dimension => dimension;

        public void Encode(IReadOnlyList<string> texts, Span<float> destination)
        {
            destination.Clear();
            if (texts.Count > 1)
                destination[^1] = texts.Count == 2 ? float.PositiveInfinity : float.NaN;
        }
    }
}
