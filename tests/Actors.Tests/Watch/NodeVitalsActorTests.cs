using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Collection;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Watch;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Actors.Tests.Watch;

public sealed class NodeVitalsActorTests() : TestKit("akka.loglevel = OFF, akka.stdout-loglevel = OFF")
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Given_a_watcher_When_it_asks_Then_it_is_told_again_and_again_and_only_of_its_run()
    {
        var shards = CreateTestProbe();
        var node = Sys.ActorOf(NodeVitalsActor.Props(shards, TimeSpan.FromMilliseconds(20)));
        node.Tell(new WatchNode("vitals-run", 30), TestActor);
        await shards.ExpectMsgAsync<GetShardRegionStats>(Patience);
        shards.Reply(new ShardRegionStats(ImmutableDictionary.CreateRange([new KeyValuePair<string, int>("1", 3), new("2", 4)]), ImmutableHashSet<string>.Empty));
        await ExpectMsgAsync<NodeVitals>(Patience);
        ChorusMetrics.CountVotes("vitals-run", 10, new VoteTally(NoText: 2, NotFinite: 0, ZeroSpread: 0));
        ChorusMetrics.CountVotes("another-run", 500, VoteTally.None);

        var vitals = await FishForMessageAsync<NodeVitals>(v => v.Shards == 2 && v.Readings.Any(r => r.Tag("kind") == "no-text" && r.Value == 2), Patience);
        Assert.Equal(7, vitals.Blocks);
        Assert.Equal(8, vitals.Readings.Single(r => r.Tag("kind") == "cast").Value);
        Assert.All(vitals.Readings, r => Assert.DoesNotContain("run=", r.Tags, StringComparison.Ordinal));
        Assert.InRange(vitals.CpuShare, 0, 1);
        Assert.InRange(vitals.MemoryBytes, 1, vitals.MemoryLimitBytes);
    }

    [Fact]
    public async Task Given_a_watcher_that_does_not_ask_again_When_its_time_is_over_Then_it_is_told_no_more()
    {
        var node = Sys.ActorOf(NodeVitalsActor.Props(ActorRefs.Nobody, TimeSpan.FromMilliseconds(20)));
        node.Tell(new WatchNode("run", 1), TestActor);
        await ExpectMsgAsync<NodeVitals>(Patience);
        // What is still on its way ends; then there is a silence longer than many of its ticks.
        await AwaitConditionAsync(
            async () =>
            {
                while (HasMessages)
                    await ReceiveOneAsync(TimeSpan.Zero);
                await Task.Delay(200);
                return !HasMessages;
            },
            Patience);

        node.Tell(new WatchNode("run", 1), TestActor);
        await ExpectMsgAsync<NodeVitals>(Patience);
    }
}
