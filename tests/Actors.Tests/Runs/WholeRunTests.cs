using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Report;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Tests.Runs;

[Collection("whole runs")]
public sealed class WholeRunTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_the_same_seed_When_run_on_three_nodes_Then_the_releases_and_figures_are_those_of_one_node()
    {
        using var context = New();
        await RunAsync(new TestRun { Nodes = 3 }, context);

        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
        Assert.Equal(reference.Figures, ReferenceRun.FiguresOf(context.Folder));
    }

    // Texts mapped, embeddings written by the first round and read by the second, by three nodes that share the files.
    [Fact]
    public async Task Given_clients_that_lie_on_disk_When_run_twice_Then_the_releases_are_those_of_clients_in_memory()
    {
        for (var i = 0; i < 2; i++)
        {
            using var context = RunPreparation.New(TestRun.Settings(reference.Data, "chorus.data.store = disk"), _folder.In($"run{i}"), null, CancellationToken.None);
            await RunAsync(new TestRun { Nodes = i == 0 ? 3 : 1 }, context);
            Assert.IsType<ClientStore>(context.Corpus.Clients);
            Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
        }

        var files = Directory.GetFiles(Path.Combine(OwnCache.Folder, "clients")).Select(f => Path.GetExtension(f)).Order();
        Assert.Equal([".clients", ".embeddings"], files);
    }

    [Fact]
    public void Given_no_diagnostics_When_run_Then_texts_are_measured_and_copies_of_private_texts_are_not_looked_for()
    {
        var texts = RunResultFile.Read(reference.Folder.Result).Texts!;
        Assert.Equal(12, texts.Synthetic.Compared);
        Assert.True(texts.Synthetic.PublicCopies.LongestRun > 0); // the stub writes words of the public texts
        Assert.Null(texts.Synthetic.PrivateCopies);
        Assert.Null(texts.HeldOut.PrivateCopies);
    }

    // The first client node to get so far loses its power at that very message: a claim, or its whole partial sum.
    [Theory]
    [InlineData("collector/claim/2")]
    [InlineData("collector/partial/2")]
    public async Task Given_three_nodes_When_one_goes_dark_in_the_middle_of_a_rounds_feedback_Then_the_releases_are_those_of_one_node(string at)
    {
        using var wire = new Wire(frame => frame.Contains(at, StringComparison.Ordinal));
        using var context = New();
        await RunAsync(new TestRun { Nodes = 3, Overrides = wire.Hocon }, context);

        Assert.True(wire.WentDark);
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
    }

    [Fact]
    public async Task Given_late_and_forged_messages_When_they_reach_the_coordinator_Then_the_releases_are_the_same()
    {
        using var context = New();
        var forged = 0;
        await RunAsync(new TestRun { OnProgress = Forge }, context);

        Assert.True(forged > 0);
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));

        void Forge(TestRun run, RunProtocol.RunProgress progress)
        {
            if (progress.Stage != "feedback")
                return;
            forged++;
            var (id, round, sum) = (context.Run, progress.Round, Enumerable.Repeat(1L << 30, 12).ToArray());
            var coordinator = run.Coordinator(0);
            coordinator.Tell(new PartialSum("another-run", round, "x/0", [new(0, 1)], sum, ClientDigest.Of([0, 1, 2, 3]), VoteTally.None));
            coordinator.Tell(new PartialSum(id, round + 1, "x/0", [new(0, 1)], sum, ClientDigest.Of([0, 1, 2, 3]), VoteTally.None));
            coordinator.Tell(new PartialSum(id, round - 1, "x/0", [new(0, 1)], sum, ClientDigest.Of([0, 1, 2, 3]), VoteTally.None));
            coordinator.Tell(new PartialSum(id, round, "x/0", [new(0, 1)], sum, ClientDigest.Of([0, 1, 2, 3]), VoteTally.None));
            coordinator.Tell(new PartialSum(id, round, "x/0", [], [], default, VoteTally.None));
            coordinator.Tell(new ClaimBlock("another-run", round, 0, 1, "x/0"));
            coordinator.Tell(new ClaimBlock(id, round + 1, 0, 1, "x/0"));
            coordinator.Tell(new ClaimBlock(id, round, 0, 1, "x/0")); // of a dead lease
            coordinator.Tell(new ClaimBlock(id, round, 99, 1, "x/0"));
            coordinator.Tell(new BlockProtocol.BlockFailed("another-run", round, 0, 1, "no"));
            coordinator.Tell(new BlockProtocol.BlockFailed(id, round + 1, 0, 1, "no"));
        }
    }

    // A block for each client, so that many claims are still to come when the coordinator falls.
    [Fact]
    public async Task Given_blocks_that_were_counted_When_the_coordinator_throws_and_is_restarted_Then_the_round_is_counted_anew_and_the_same()
    {
        using var context = New("chorus.clients.block-size = 1");
        var restarted = false;
        await RunAsync(
            new TestRun
            {
                OnProgress = (run, progress) =>
                {
                    restarted |= progress.Stage == "resume";
                    // Of no collector: a message that no Chorus sends, and that the coordinator does not survive.
                    if (!restarted && progress is { Stage: "feedback", Done: > 0 })
                        run.Coordinator(0).Tell(new ClaimBlock(context.Run, progress.Round, 0, 1, null!));
                },
            },
            context);

        Assert.True(restarted);
        Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
        Assert.Equal(2, (await Journal.SpendAsync(context)).Charges);
    }

    private RunContext New(string more = "") => RunPreparation.New(TestRun.Settings(reference.Data, more), _folder.In("run"), null, CancellationToken.None);

    private static async Task RunAsync(TestRun run, RunContext context)
    {
        var ended = await run.RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
    }
}
