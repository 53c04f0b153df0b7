using Chorus.Cli.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Chorus.Cli.Tests.Commands;

/// <summary>Clusters of real processes, and what becomes of a run when one is killed.</summary>
[Collection(CliCollection.Name)]
public sealed class ClusterTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_three_processes_When_a_run_finishes_Then_its_releases_are_those_of_one_process()
    {
        var output = _folder.Fresh("three");
        await using var simulation = Simulate(output);
        var seed = await SeedOf(simulation);
        await using var first = Node(seed);
        await using var second = Node(seed);

        Assert.True(await simulation.ExitAsync() == ExitCode.Done, simulation.Errors);

        Assert.Equal("", simulation.Errors);
        var result = RunResultView.Of(output);
        Assert.Equal(3, result.Root.GetProperty("nodes").GetInt32());
        await AssertIsTheUndisturbedRun(output);
        await AssertStops(first);
        await AssertStops(second);
    }

    [Fact]
    public async Task Given_a_round_under_way_When_a_client_node_is_killed_Then_all_clients_are_counted_and_the_releases_are_the_same()
    {
        var output = _folder.Fresh("killed-node");
        await using var simulation = Simulate(output);
        var seed = await SeedOf(simulation);
        await using var victim = Node(seed);
        await victim.LineAsync("joined"); // the older of the two: it also hands out the shards
        await using var survivor = Node(seed);

        await simulation.LineAsync("round 1/2 feedback");
        victim.Kill();
        Assert.DoesNotContain("round 1/2: ", simulation.Output, StringComparison.Ordinal);

        Assert.True(await simulation.ExitAsync() == ExitCode.Done, simulation.Errors);
        Assert.Equal([40, 40], RunResultView.Of(output).ClientsCounted);
        await AssertIsTheUndisturbedRun(output);
    }

    [Fact]
    public async Task Given_a_round_under_way_When_the_coordinator_is_killed_and_resumed_Then_the_releases_are_the_same_and_paid_for_once()
    {
        var output = _folder.Fresh("killed-coordinator");
        string seed;
        await using var simulation = Simulate(output);
        seed = await SeedOf(simulation);
        await using var first = Node(seed);
        await using var second = Node(seed);
        await simulation.LineAsync("round 1/2: ");
        await simulation.LineAsync("round 2/2 feedback");
        simulation.Kill();
        await simulation.ExitAsync();
        Assert.False(File.Exists(Path.Combine(output, "result.json")));

        var port = seed[(seed.LastIndexOf(':') + 1)..];
        await using var resumed = ChildProcess.Chorus(_folder, "simulate", "--resume", "--out", output, "--nodes", "3", "--port", port);

        Assert.True(await resumed.ExitAsync() == ExitCode.Done, resumed.Errors);
        Assert.DoesNotContain("round 1/2: ", resumed.Output, StringComparison.Ordinal);
        await AssertIsTheUndisturbedRun(output);
    }

    [Fact]
    public async Task Given_a_node_that_never_joined_When_it_is_asked_to_end_Then_it_does_within_seconds()
    {
        await using var node = Node("127.0.0.1:1");
        await node.LineAsync("joining 127.0.0.1:1");

        await AssertStops(node);
        Assert.Equal("", node.Errors);
    }

    private ChildProcess Simulate(string output) =>
        ChildProcess.Chorus(_folder, "simulate", "--run", _folder.TinyRun, "--out", output, "--nodes", "3", "--diagnostics");

    private ChildProcess Node(string seed) => ChildProcess.Chorus(_folder, "node", "--roles", "client", "--seed-node", seed);

    /// <summary>host:port, from the line that says how to join.</summary>
    private static async Task<string> SeedOf(ChildProcess simulation) => (await simulation.LineAsync("--seed-node")).Split(' ')[^1];

    private static async Task AssertStops(ChildProcess node)
    {
        await node.TerminateAsync();
        Assert.Equal(ExitCode.Done, await node.ExitAsync(TimeSpan.FromSeconds(15)));
    }

    private async Task AssertIsTheUndisturbedRun(string output)
    {
        var undisturbed = await shared.UndisturbedAsync();
        var (expected, actual) = (RunResultView.Of(undisturbed.Folder), RunResultView.Of(output));
        Assert.Equal(2, actual.Releases.Length);
        Assert.Equal(expected.Releases, actual.Releases);
        Assert.Equal(expected.ClientsCounted, actual.ClientsCounted);
        Assert.Equal(expected.Epsilon, actual.Epsilon);
        // One event opens the ledger, and each round is one charge.
        Assert.Equal(1 + 2, LedgerEvents(output));
        Assert.Equal(
            await File.ReadAllBytesAsync(Path.Combine(undisturbed.Folder, "synthetic.json")),
            await File.ReadAllBytesAsync(Path.Combine(output, "synthetic.json")));
    }

    private static long LedgerEvents(string output)
    {
        using var journal = new SqliteConnection($"Data Source={Path.Combine(output, "journal.db")};Mode=ReadOnly;Pooling=False");
        journal.Open();
        using var count = journal.CreateCommand();
        count.CommandText = "SELECT COUNT(*) FROM journal WHERE persistence_id = 'ledger'";
        return (long)count.ExecuteScalar()!;
    }
}
