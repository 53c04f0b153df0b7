using Akka.Actor;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Collection;
using Chorus.Simulation.Aggregation;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Tests.Collection;

public sealed class CollectorActorTests : TestKit
{
    private static readonly TimeSpan Never = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Given_granted_and_denied_blocks_When_asked_Then_delivers_one_sum_over_the_granted_ones_only()
    {
        var coordinator = CreateTestProbe();
        var collector = Sys.ActorOf(CollectorActor.Props(coordinator, "node", Never));
        collector.Tell(Block(0, 1, [1, 2], [0, 1]));
        collector.Tell(Block(1, 1, [10, 20], [2]));
        Assert.Equal(new ClaimBlock("run", 1, 0, 1, "node/0"), await coordinator.ExpectMsgAsync<ClaimBlock>());
        await coordinator.ExpectMsgAsync<ClaimBlock>();
        collector.Tell(new BlockGranted("run", 1, 0, 1), coordinator);
        collector.Tell(new BlockGranted("run", 1, 0, 1), coordinator); // a repeated grant counts once
        collector.Tell(new BlockDenied("run", 1, 1, 1), coordinator);
        collector.Tell(new DeliverPartial("run", 1), coordinator);

        var partial = await coordinator.ExpectMsgAsync<PartialSum>();
        Assert.Equal([new GrantedBlock(0, 1)], partial.Blocks);
        Assert.Equal([1L, 2L], partial.Sum);
        Assert.Equal(ClientDigest.Of([1, 0]), partial.Clients);
    }

    [Fact]
    public async Task Given_a_claim_without_an_answer_When_time_passes_Then_it_is_made_again()
    {
        var coordinator = CreateTestProbe();
        var collector = Sys.ActorOf(CollectorActor.Props(coordinator, "node", TimeSpan.FromMilliseconds(100)));
        collector.Tell(Block(3, 2, [1], [5]));
        var first = await coordinator.ExpectMsgAsync<ClaimBlock>();
        Assert.Equal(first, await coordinator.ExpectMsgAsync<ClaimBlock>());
    }

    [Fact]
    public async Task Given_a_revoked_collector_When_it_goes_on_Then_it_has_a_new_name_and_an_empty_sum_and_claims_again()
    {
        var coordinator = CreateTestProbe();
        var collector = Sys.ActorOf(CollectorActor.Props(coordinator, "node", Never));
        collector.Tell(Block(0, 1, [1], [0]));
        collector.Tell(Block(1, 1, [2], [1]));
        await coordinator.ExpectMsgAsync<ClaimBlock>();
        await coordinator.ExpectMsgAsync<ClaimBlock>();
        collector.Tell(new BlockGranted("run", 1, 0, 1), coordinator);
        collector.Tell(new CollectorRevoked("run", 1, "node/0"), coordinator);

        Assert.Equal(new ClaimBlock("run", 1, 1, 1, "node/1"), await coordinator.ExpectMsgAsync<ClaimBlock>());
        collector.Tell(new DeliverPartial("run", 1), coordinator);
        var partial = await coordinator.ExpectMsgAsync<PartialSum>();
        Assert.Equal("node/1", partial.Collector);
        Assert.Empty(partial.Blocks);
    }

    [Fact]
    public async Task Given_a_new_round_When_its_first_block_comes_Then_the_old_round_is_forgotten()
    {
        var coordinator = CreateTestProbe();
        var collector = Sys.ActorOf(CollectorActor.Props(coordinator, "node", Never));
        collector.Tell(Block(0, 1, [1], [0]));
        await coordinator.ExpectMsgAsync<ClaimBlock>();
        collector.Tell(new BlockGranted("run", 1, 0, 1), coordinator);
        collector.Tell(Block(0, 1, [5], [0]) with { Round = 2 });
        await coordinator.ExpectMsgAsync<ClaimBlock>();
        collector.Tell(new BlockGranted("run", 2, 0, 1), coordinator);
        collector.Tell(new BlockGranted("run", 1, 0, 1), coordinator); // late
        collector.Tell(new DeliverPartial("run", 2), coordinator);
        var partial = await coordinator.ExpectMsgAsync<PartialSum>();
        Assert.Equal([5L], partial.Sum);
    }

    private static BlockCounted Block(int block, long lease, long[] sum, int[] clients) => new("run", 1, block, lease, sum, ClientDigest.Of(clients), VoteTally.None);
}
