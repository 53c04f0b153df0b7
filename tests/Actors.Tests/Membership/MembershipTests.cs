using Akka.Cluster;
using Chorus.Actors.Hosting;
using Chorus.Actors.Hosting.Tls;
using Chorus.Actors.Membership;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Membership;

/// <summary>Who gets into the cluster of a coordinator that waits for nodes.</summary>
[Collection("whole runs")]
public sealed class MembershipTests(ReferenceRun reference) : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryFolder _folder = new();
    private readonly List<ChorusNode> _nodes = [];
    private RunContext _run = null!;
    private ChorusNode _first = null!;

    public async Task InitializeAsync()
    {
        _run = RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None);
        _first = await StartAsync(Coordinator(_run));
    }

    public async Task DisposeAsync() => await Task.WhenAll(_nodes.AsEnumerable().Reverse().Select(n => n.DisposeAsync().AsTask()));

    public void Dispose()
    {
        _run.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Given_another_version_When_it_wants_to_join_Then_it_is_turned_away_with_the_reason()
    {
        var stranger = await StartAsync(Client() with { Version = "0.0.9" });

        var why = await stranger.TurnedAway.WaitAsync(Patience);
        Assert.Contains($"runs Chorus {ChorusVersion.Current}", why, StringComparison.Ordinal);
        Assert.Contains("0.0.9", why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_another_version_that_joins_without_asking_When_it_is_a_member_Then_it_is_turned_out()
    {
        var stranger = await StartAsync(Client() with { Version = "0.0.9" });
        await stranger.TurnedAway.WaitAsync(Patience);
        var cluster = Cluster.Get(stranger.System);
        var down = new TaskCompletionSource();
        cluster.RegisterOnMemberRemoved(() => down.TrySetResult());
        cluster.Join(Cluster.Get(_first.System).SelfAddress);

        await down.Task.WaitAsync(Patience);
    }

    [Fact]
    public async Task Given_a_second_coordinator_When_it_wants_to_join_Then_it_is_turned_away_whether_its_run_is_the_same_or_not()
    {
        var same = await StartAsync(Coordinator(_run) with { SeedNodes = [_first.Address] });
        Assert.Contains("already", await same.TurnedAway.WaitAsync(Patience), StringComparison.Ordinal);

        using var another = RunPreparation.New(TestRun.Settings(reference.Data, "chorus.seed = 6"), _folder.In("another"), null, CancellationToken.None);
        var second = await StartAsync(Coordinator(another) with { SeedNodes = [_first.Address] });
        Assert.Contains($"busy with run {_run.Run}", await second.TurnedAway.WaitAsync(Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_member_When_it_is_asked_how_the_cluster_is_Then_it_knows_members_run_and_phase()
    {
        var client = await StartAsync(Client());
        ClusterStatus status = null!;
        await TestRun.UntilAsync(async () => (status = await ClusterProbe.AskAsync(client.Address, "127.0.0.1", null, Patience)) is { Run: not null, Members.Length: 2 });

        Assert.Equal([_first.Address, client.Address], status.Members.Select(m => m.Address).OrderBy(a => a != _first.Address));
        Assert.All(status.Members, m => Assert.True(m.Reachable));
        Assert.Contains("client", status.Members.Single(m => m.Address == client.Address).Roles);
        Assert.DoesNotContain(status.Members.SelectMany(m => m.Roles), role => role.StartsWith("run-", StringComparison.Ordinal));
        Assert.Equal((_run.Run, TestRun.Clients, 2, "waiting for nodes"), (status.Run!.Run, status.Run.Clients, status.Run.Rounds, status.Run.Phase));
    }

    [Fact]
    public async Task Given_nobody_there_When_asked_how_the_cluster_is_Then_the_message_asks_for_node_and_tls()
    {
        var e = await Assert.ThrowsAsync<IOException>(() => ClusterProbe.AskAsync("127.0.0.1:1", "127.0.0.1", null, TimeSpan.FromMilliseconds(300)));
        Assert.Contains("127.0.0.1:1", e.Message, StringComparison.Ordinal);
        Assert.Contains("--tls", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<SettingsException>(() => ClusterProbe.AskAsync("nowhere", "127.0.0.1", null, Patience));
    }

    [Fact]
    public async Task Given_certificates_of_two_authorities_When_a_node_meets_a_cluster_of_the_other_Then_each_refuses_with_the_reason()
    {
        using var ours = Certificate("ours");
        using var theirs = Certificate("theirs");
        var secured = await StartAsync(new NodeOptions { Roles = ["client"], LogLevel = "OFF", Tls = ours });
        var friend = await StartAsync(Client(secured) with { Tls = ours });
        var stranger = await StartAsync(Client(secured) with { Tls = theirs });
        var plain = await StartAsync(Client(secured));

        Assert.Contains("not of this cluster's authority", await stranger.TurnedAway.WaitAsync(Patience), StringComparison.Ordinal);
        await TestRun.UntilAsync(() => Task.FromResult(Cluster.Get(friend.System).State.Members.Count == 2));
        Assert.Equal(2, Cluster.Get(secured.System).State.Members.Count);
        Assert.Empty(Cluster.Get(plain.System).State.Members);
    }

    private static NodeOptions Coordinator(RunContext run) => new()
    {
        Roles = ["coordinator", "policy", "trainer"],
        MinimumNodes = 9,
        LogLevel = "OFF",
        NeedsTorch = false,
        Run = run,
        Policy = StubPolicy.Factory,
        Downstream = StubDownstream.Factory,
    };

    private NodeOptions Client(ChorusNode? of = null) => new() { Roles = ["client"], LogLevel = "OFF", SeedNodes = [(of ?? _first).Address] };

    private NodeCertificate Certificate(string authority)
    {
        using var made = ClusterAuthority.In(_folder.In(authority), TimeProvider.System, out _);
        return NodeCertificate.Load(made.Issue("127.0.0.1", TimeSpan.FromDays(1))!, TimeProvider.System);
    }

    private async Task<ChorusNode> StartAsync(NodeOptions options)
    {
        var node = await ChorusNode.StartAsync(options with { Overrides = TestRun.Hasty });
        _nodes.Add(node);
        return node;
    }
}
