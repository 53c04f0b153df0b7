using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Settings;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Telemetry;

public sealed class NodeMetricsActorTests() : TestKit(ConfigurationFactory.ParseString(
    """
    akka.loglevel = OFF
    akka.remote.dot-netty.tcp { hostname = "127.0.0.1", port = 0 }
    akka.persistence.journal.plugin = "akka.persistence.journal.inmem"
    akka.persistence.snapshot-store.plugin = "akka.persistence.snapshot-store.inmem"
    """).WithFallback(HoconFiles.Embedded("cluster.conf")))
{
    [Fact]
    public async Task Given_messages_that_wait_When_a_node_is_measured_Then_their_number_and_the_members_are_known()
    {
        using var hold = new ManualResetEventSlim();
        using var measured = new Measurements();
        var busy = Sys.ActorOf(Props.Create(() => new Busy(hold)), "busy-here");
        for (var i = 0; i < 6; i++)
            busy.Tell(i);
        Cluster.Get(Sys).Join(Cluster.Get(Sys).SelfAddress);
        Sys.ActorOf(NodeMetricsActor.Props([("busy-here", "user/busy-here"), ("missing-here", "user/missing-here")], TimeSpan.FromMilliseconds(20)));

        await AwaitAssertAsync(
            () =>
            {
                Assert.Contains(5, measured.Of("chorus.queue.length", "actor=busy-here")); // the first is at work
                Assert.Contains(1, measured.Of("chorus.members", "status=up"));
            },
            TimeSpan.FromSeconds(30));
        Assert.Empty(measured.Of("chorus.queue.length", "actor=missing-here"));
        hold.Set();
    }

    private sealed class Busy : UntypedActor
    {
        private readonly ManualResetEventSlim _hold;

        public Busy(ManualResetEventSlim hold) => _hold = hold;

        protected override void OnReceive(object message) => _hold.Wait();
    }
}
