using Akka.Actor;
using Akka.Cluster.Sharding;
using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Runs;

/// <summary>What a cluster does to a run without anybody dying. Kills, pauses and broken networks over real processes: Cluster.Tests.</summary>
[Collection("whole runs")]
public sealed class ClusterFailureTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // A block for each client: many messages. A lost lease is sent again after five seconds, so leases are not lost here.
    [Fact]
    public async Task Given_a_wire_that_loses_doubles_and_reorders_When_run_Then_the_releases_are_those_of_one_node()
    {
        var (random, gate, fates) = (new Random(7), new Lock(), new int[4]);
        using var wire = new Wire
        {
            Fates = frame =>
            {
                lock (gate)
                {
                    var fate = random.Next(10) switch
                    {
                        0 when frame.Contains("collector/claim", StringComparison.Ordinal) || frame.Contains("candidates/", StringComparison.Ordinal) => Fate.Lost,
                        <= 3 => Fate.Doubled,
                        <= 6 => Fate.HeldBack,
                        _ => Fate.Passes,
                    };
                    fates[(int)fate]++;
                    return fate;
                }
            },
        };
        using var context = New("chorus.clients.block-size = 1");
        await RunAsync(new TestRun { Nodes = 3, Overrides = wire.Hocon }, context);

        Assert.All(fates, count => Assert.NotEqual(0, count));
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
        Assert.Equal(2, (await Journal.SpendAsync(context)).Charges);
    }

    // No claim gets through until a node has joined in the middle of the feedback and shards have moved to it with blocks that had voted.
    [Fact]
    public async Task Given_a_round_under_way_When_a_node_joins_and_shards_move_to_it_Then_the_releases_are_the_same_and_it_took_part()
    {
        var moved = 0;
        using var wire = new Wire { Fates = frame => Volatile.Read(ref moved) == 0 && frame.Contains("collector/claim", StringComparison.Ordinal) ? Fate.Lost : Fate.Passes };
        using var context = New("chorus.clients.block-size = 1");
        var joining = 0;
        await RunAsync(
            new TestRun
            {
                Nodes = 2,
                Overrides = $"akka.cluster.sharding {{ rebalance-interval = 300ms, least-shard-allocation-strategy.rebalance-absolute-limit = 20 }}\n{wire.Hocon}",
                OnProgress = (run, progress) =>
                {
                    if (progress.Stage == "feedback" && Interlocked.Exchange(ref joining, 1) == 0)
                        _ = JoinAsync(run);
                },
            },
            context);

        Assert.NotEqual(0, moved);
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));

        async Task JoinAsync(TestRun run)
        {
            var region = ClusterSharding.Get(run.System(await run.JoinAsync("client"))).ShardRegion("client-blocks");
            await TestRun.UntilAsync(async () => (await region.Ask<ShardRegionStats>(GetShardRegionStats.Instance, TimeSpan.FromSeconds(5))).Stats.Count > 0);
            Interlocked.Increment(ref moved);
        }
    }

    // Policies on two nodes that share the run's folder: one is the singleton, and leaves in the middle of its tuning.
    [Fact]
    public async Task Given_a_policy_at_work_When_its_node_leaves_in_order_Then_another_nodes_policy_takes_over_and_the_releases_are_the_same()
    {
        var tunings = 0;
        using var context = New();
        var leaving = 0;
        await RunAsync(
            new TestRun
            {
                Nodes = 4,
                First = ["coordinator", "trainer"],
                Others = [["policy"], ["policy"], ["client"]],
                Policy = (_, _, progress, ct) => new StubPolicy
                {
                    BeforeTuning = () =>
                    {
                        if (Interlocked.Increment(ref tunings) > 1)
                            return;
                        progress("tune", 0, 1, "");
                        ct.WaitHandle.WaitOne(TimeSpan.FromSeconds(60));
                        ct.ThrowIfCancellationRequested();
                    },
                },
                OnProgress = (run, progress) =>
                {
                    if (progress.Stage == "tune" && Interlocked.Exchange(ref leaving, 1) == 0)
                        _ = run.LeaveAsync(run.NodeWith("/user/policy/policy"));
                },
            },
            context);

        Assert.Equal(3, tunings); // round 1 twice, round 2 once
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
    }

    private RunContext New(string more = "") => RunPreparation.New(TestRun.Settings(reference.Data, more), _folder.In("run"), null, CancellationToken.None);

    private static async Task RunAsync(TestRun run, RunContext context)
    {
        var ended = await run.RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
    }
}
