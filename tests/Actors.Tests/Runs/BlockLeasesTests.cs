using Chorus.Actors.Collection;
using Chorus.Actors.Runs;
using Chorus.Simulation.Aggregation;
using CsCheck;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Tests.Runs;

public sealed class BlockLeasesTests
{
    private const int Blocks = 6;
    private const int ClientsPerBlock = 3;

    [Fact]
    public void Given_any_order_of_claims_losses_retries_and_lies_When_all_is_merged_Then_every_client_is_counted_exactly_once()
    {
        // Each step is (kind, block, collector). Collectors here really add what they are granted, as CollectorActor does.
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, Blocks - 1], Gen.Int[0, 2]).Array[0, 80].Sample(steps =>
        {
            var leases = NewLeases();
            var world = new World(leases);
            foreach (var (kind, block, collector) in steps)
            {
                switch (kind)
                {
                    case 0:
                        world.Claim(block, collector);
                        break;
                    case 1:
                        world.Lose(collector);
                        break;
                    case 2:
                        world.Deliver(collector);
                        break;
                    default:
                        world.RepeatOldest();
                        break;
                }
            }

            world.Complete();
            return leases.AllMerged
                && leases.Clients.Order().SequenceEqual(Enumerable.Range(0, Blocks * ClientsPerBlock))
                && leases.Sum[0] == Enumerable.Range(0, Blocks * ClientsPerBlock).Sum(c => 1L << c)
                && leases.Tally.NoText == Blocks;
        });
    }

    [Fact]
    public void Given_a_collector_that_does_not_deliver_When_the_round_closes_without_it_Then_its_late_sum_and_claims_count_for_nothing()
    {
        var leases = NewLeases();
        Assert.Equal(ClaimAnswer.Granted, leases.Claim(0, 1, "a"));
        Assert.Equal(ClaimAnswer.Granted, leases.Claim(1, 1, "slow"));
        Assert.True(leases.Merge(new PartialSum("run", 1, "a", [new(0, 1)], [7], ClientDigest.Of([0, 1, 2]), VoteTally.None)));
        leases.DropPending();
        Assert.False(leases.AllMerged);

        leases.DropGranted();
        Assert.True(leases.AllMerged);
        Assert.Equal(ClientsPerBlock, leases.ClientsGranted);
        Assert.False(leases.Merge(new PartialSum("run", 1, "slow", [new(1, 1)], [56], ClientDigest.Of([3, 4, 5]), VoteTally.None)));
        Assert.Equal(ClaimAnswer.Revoked, leases.Claim(1, 1, "slow"));
        Assert.Equal(ClaimAnswer.Denied, leases.Claim(1, 2, "b"));
        Assert.Equal((7, 3), (leases.Sum[0], leases.Clients.Count));
    }

    [Fact]
    public void Given_a_partial_with_a_block_more_than_granted_When_merged_Then_it_is_refused()
    {
        var leases = NewLeases();
        Assert.Equal(ClaimAnswer.Granted, leases.Claim(0, 1, "a"));
        Assert.False(leases.Merge(new PartialSum("run", 1, "a", [new(0, 1), new(1, 1)], [63], ClientDigest.Of([0, 1, 2, 3, 4, 5]), VoteTally.None)));
        Assert.False(leases.Merge(new PartialSum("run", 1, "a", [new(0, 1)], [7], ClientDigest.Of([0, 1, 2, 2]), VoteTally.None)));
        Assert.False(leases.Merge(new PartialSum("run", 2, "a", [new(0, 1)], [7], ClientDigest.Of([0, 1, 2]), VoteTally.None)));
        Assert.True(leases.Merge(new PartialSum("run", 1, "a", [new(0, 1)], [7], ClientDigest.Of([0, 1, 2]), VoteTally.None)));
        Assert.Equal(7, leases.Sum[0]);
    }

    // One client moves a coordinate by at most 2^24 grid units: a sum beyond that times its clients is no sum of votes.
    [Fact]
    public void Given_a_partial_whose_sum_no_votes_could_make_When_merged_Then_it_is_refused()
    {
        var leases = NewLeases();
        leases.Claim(0, 1, "a");
        var partial = new PartialSum("run", 1, "a", [new(0, 1)], [0], ClientDigest.Of([0, 1, 2]), VoteTally.None);
        foreach (var units in (long[])[(3 << 24) + 1, -(3 << 24) - 1, long.MaxValue, long.MinValue])
            Assert.False(leases.Merge(partial with { Sum = [units] }));
        Assert.False(leases.Merge(partial with { Sum = [] }));
        Assert.True(leases.Merge(partial with { Sum = [-3 << 24] }));
    }

    [Fact]
    public void Given_a_round_closed_without_some_blocks_When_merged_Then_their_clients_are_not_in_it_and_late_claims_are_denied()
    {
        var leases = NewLeases();
        leases.Claim(1, 1, "a");
        leases.DropPending();
        Assert.Equal((3, Blocks * ClientsPerBlock), (leases.ClientsGranted, leases.ClientsSampled));
        Assert.True(leases.AllGranted);
        Assert.Equal(ClaimAnswer.Denied, leases.Claim(0, 1, "a"));
        Assert.Equal(["a"], leases.Holders);
        Assert.True(leases.Merge(new PartialSum("run", 1, "a", [new(1, 1)], [5], ClientDigest.Of([3, 4, 5]), VoteTally.None)));
        Assert.True(leases.AllMerged);
        Assert.Equal([3, 4, 5], leases.Clients);
    }

    [Fact]
    public void Given_two_collectors_When_both_claim_a_block_Then_one_is_granted_and_asking_again_changes_nothing()
    {
        var leases = NewLeases();
        Assert.Equal(ClaimAnswer.Granted, leases.Claim(2, 1, "a"));
        Assert.Equal(ClaimAnswer.Denied, leases.Claim(2, 1, "b"));
        Assert.Equal(ClaimAnswer.Granted, leases.Claim(2, 1, "a"));
        Assert.Equal(ClaimAnswer.Denied, leases.Claim(99, 1, "a"));
        Assert.Equal(1, leases.Revoke(c => c == "a"));
        Assert.Equal(ClaimAnswer.Revoked, leases.Claim(2, 1, "a"));
        Assert.Equal(ClaimAnswer.Denied, leases.Claim(2, 1, "b"));
        Assert.Equal(ClaimAnswer.Granted, leases.Claim(2, 2, "b"));
    }

    private static BlockLeases NewLeases() =>
        new("run", 1, [.. Enumerable.Range(0, Blocks).Select(ClientsOf)], candidates: 1);

    private static int[] ClientsOf(int block) => [.. Enumerable.Range(block * ClientsPerBlock, ClientsPerBlock)];

    /// <summary>Collectors as small models: each holds the blocks that it was told are its own; messages can be repeated.</summary>
    private sealed class World(BlockLeases leases)
    {
        private readonly List<(int Block, long Lease)>[] _held = [[], [], []];
        private readonly int[] _incarnation = new int[3];
        private readonly List<PartialSum> _sent = [];

        public void Claim(int block, int collector)
        {
            if (leases.Pending.FirstOrDefault(p => p.Block == block) is not { Lease: > 0 } lease)
                lease = (block, 1);
            switch (leases.Claim(block, lease.Lease, Name(collector)))
            {
                case ClaimAnswer.Granted when !_held[collector].Contains(lease):
                    _held[collector].Add(lease);
                    break;
                case ClaimAnswer.Revoked or ClaimAnswer.Merged:
                    Retire(collector);
                    break;
            }
        }

        public void Lose(int collector) => leases.Revoke(c => c == Name(collector));

        public void Deliver(int collector)
        {
            var blocks = _held[collector].OrderBy(h => h.Block).ToArray();
            var partial = new PartialSum(
                "run", 1, Name(collector), [.. blocks.Select(b => new GrantedBlock(b.Block, b.Lease))],
                [blocks.SelectMany(b => ClientsOf(b.Block)).Sum(c => 1L << c)],
                ClientDigest.Of(blocks.SelectMany(b => ClientsOf(b.Block))),
                new VoteTally(blocks.Length, 0, 0));
            _sent.Add(partial);
            if (leases.Merge(partial))
                Retire(collector);
        }

        public void RepeatOldest()
        {
            if (_sent.Count > 0)
                Assert.False(leases.Merge(_sent[0]) && _sent.Count(s => s.Collector == _sent[0].Collector) > 1);
        }

        public void Complete()
        {
            for (var c = 0; c < 3; c++)
                Retire(c);
            leases.Revoke(_ => true); // as if every node was lost: what was granted and not delivered is leased anew
            foreach (var (block, _) in leases.Pending.ToArray())
                Claim(block, 0);
            Deliver(0);
        }

        private void Retire(int collector)
        {
            _incarnation[collector]++;
            _held[collector].Clear();
        }

        private string Name(int collector) => $"{collector}/{_incarnation[collector]}";
    }
}
