using Akka.Actor;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Hosting;
using Chorus.Actors.Methods;
using Chorus.Actors.Tests.Support;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Tests.Hosting;

public sealed class NodeDataActorTests : TestKit
{
    private static readonly TimeSpan Never = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TinyNode _node = new();

    private RunDescription Description => new("run", Settings(_node.Corpus.Directory), _node.Corpus.Sha256, 50);

    [Fact]
    public async Task Given_a_coordinator_that_does_not_answer_When_time_passes_Then_it_is_asked_again_until_it_does()
    {
        var coordinator = CreateTestProbe();
        var data = Sys.ActorOf(NodeDataActor.Props(coordinator, TimeSpan.FromMilliseconds(50), (settings, texts) => RoundWork.Of(settings, texts, null)));
        data.Tell(new GetRunOnNode("run"), TestActor);
        for (var i = 0; i < 3; i++)
            Assert.Equal(new GetRunDescription("run"), await coordinator.ExpectMsgAsync<GetRunDescription>(Patience));
        coordinator.Reply(Description);

        var opened = await ExpectMsgAsync<RunOnNode>(Patience);
        Assert.Equal(_node.Corpus.Sha256, opened.Corpus.Sha256);
        Assert.Equal((50, 7, 32), (opened.Layout.Clients, opened.Layout.Blocks, opened.Clients.Encoder.Dimension));
    }

    [Fact]
    public async Task Given_an_open_run_When_another_block_asks_Then_it_gets_the_same_and_nobody_is_asked()
    {
        var coordinator = CreateTestProbe();
        var data = Sys.ActorOf(NodeDataActor.Props(coordinator, Never, (settings, texts) => RoundWork.Of(settings, texts, null)));
        data.Tell(new GetRunOnNode("run"), TestActor);
        await coordinator.ExpectMsgAsync<GetRunDescription>(Patience);
        data.Tell(Description);
        data.Tell(Description); // doubled
        var opened = await ExpectMsgAsync<RunOnNode>(Patience);
        data.Tell(new GetRunOnNode("run"), TestActor);
        Assert.Same(opened, await ExpectMsgAsync<RunOnNode>(Patience));
        await coordinator.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task Given_other_data_than_the_coordinators_When_asked_Then_the_node_is_unfit_and_asks_again_for_the_next_block()
    {
        var coordinator = CreateTestProbe();
        var data = Sys.ActorOf(NodeDataActor.Props(coordinator, Never, (settings, texts) => RoundWork.Of(settings, texts, null)));
        data.Tell(new GetRunOnNode("run"), TestActor);
        await coordinator.ExpectMsgAsync<GetRunDescription>(Patience);
        coordinator.Reply(Description with { DataSha256 = new string('0', 64) });
        Assert.Contains("other data than the coordinator's", (await ExpectMsgAsync<NodeUnfit>(Patience)).Reason, StringComparison.Ordinal);

        data.Tell(new GetRunOnNode("run"), TestActor);
        await coordinator.ExpectMsgAsync<GetRunDescription>(Patience);
        coordinator.Reply(Description);
        await ExpectMsgAsync<RunOnNode>(Patience);
    }

    [Fact]
    public async Task Given_a_folder_that_is_not_there_When_asked_Then_the_reason_names_the_file()
    {
        var coordinator = CreateTestProbe();
        var data = Sys.ActorOf(NodeDataActor.Props(coordinator, Never, (settings, texts) => RoundWork.Of(settings, texts, null)));
        data.Tell(new GetRunOnNode("run"), TestActor);
        await coordinator.ExpectMsgAsync<GetRunDescription>(Patience);
        coordinator.Reply(Description with { Settings = Settings(Path.Combine(_node.Corpus.Directory, "nowhere")) });
        var reason = (await ExpectMsgAsync<NodeUnfit>(Patience)).Reason;
        Assert.Contains("nowhere", reason, StringComparison.Ordinal);
        Assert.DoesNotContain(" at ", reason, StringComparison.Ordinal); // a message, no stack trace
    }

    private static string Settings(string data) => TestRun.Settings(data, "chorus.clients.block-size = 8").Hocon;

    protected override void AfterAll()
    {
        base.AfterAll();
        _node.Dispose();
    }
}
