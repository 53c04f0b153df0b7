using Akka.Actor;
using Chorus.Actors.Membership;

namespace Chorus.Actors.Tests.Membership;

public sealed class NodeHealthTests
{
    // Liveness is for what a restart mends. (Readiness is tested over real processes: Cli.Tests, NodeMonitorTests.)
    [Fact]
    public async Task Given_an_actor_that_hangs_When_asked_Then_the_node_is_not_alive_and_one_that_ended_is_no_illness()
    {
        using var hang = new ManualResetEventSlim();
        var system = ActorSystem.Create("health", "akka { loglevel = OFF, stdout-loglevel = OFF }");
        system.ActorOf(Props.Create(() => new Hanging(hang)), GateActor.Name).Tell("hang");
        var health = await NodeHealth.OfAsync(system, TimeSpan.FromMilliseconds(200));
        Assert.Equal((false, false), (health.Live, health.Ready));
        Assert.Contains("no actor of it answered within 0.2 s", health.Reason, StringComparison.Ordinal);

        hang.Set();
        await system.Terminate();
        Assert.Equal(NodeHealth.BetweenNodes, await NodeHealth.OfAsync(system, TimeSpan.FromMilliseconds(200)));
    }

    private sealed class Hanging(ManualResetEventSlim hang) : UntypedActor
    {
        protected override void OnReceive(object message) => hang.Wait();
    }
}
