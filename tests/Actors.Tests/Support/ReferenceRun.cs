using System.Text.Json.Nodes;
using Chorus.Actors.Runs;

namespace Chorus.Actors.Tests.Support;

/// <summary>One run on one node that nothing happened to: what all the others must come to. Whole runs share it and their data.</summary>
public sealed class ReferenceRun : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    public string Data => _folder.In("data");

    public RunFolder Folder => new(_folder.In("reference"));

    /// <summary>Hashes of its releases, by round.</summary>
    public string[] Releases { get; private set; } = [];

    /// <summary>Its result.json without what may differ: times, versions, nodes, the command.</summary>
    public string Figures { get; private set; } = "";

    public async Task InitializeAsync()
    {
        TinyCorpus.Write(Data, TestRun.Clients);
        using var context = RunPreparation.New(TestRun.Settings(Data), Folder.Path, null, CancellationToken.None);
        var ended = await new TestRun().RunAsync(context);
        if (ended is not { Outcome: RunOutcome.Done })
            throw new InvalidOperationException($"the reference run ended with {ended}");
        (Releases, Figures) = (ReleasesOf(Folder), FiguresOf(Folder));
    }

    public Task DisposeAsync()
    {
        _folder.Dispose();
        return Task.CompletedTask;
    }

    /// <summary>Hashes of a run's releases; every client must be counted in each.</summary>
    public static string[] ReleasesOf(RunFolder folder) => [.. Enumerable.Range(1, 2).Select(round =>
    {
        var release = RunFolder.ReadJson<Release>(folder.Release(round));
        Assert.Equal(TestRun.Clients, release.ClientsCounted);
        Assert.Equal(6, release.Tally.NoText); // client i has i mod 4 texts
        return release.Sha256();
    })];

    public static string FiguresOf(RunFolder folder)
    {
        var result = JsonNode.Parse(File.ReadAllText(folder.Result))!;
        Strip(result);
        return result.ToJsonString();
    }

    private static void Strip(JsonNode? node)
    {
        if (node is JsonObject o)
        {
            foreach (var key in new[] { "seconds", "client_seconds", "server_seconds", "versions", "nodes", "command" })
                o.Remove(key);
            foreach (var (_, child) in o)
                Strip(child);
        }
        else if (node is JsonArray a)
        {
            foreach (var child in a)
                Strip(child);
        }
    }
}

/// <summary>Whole runs: one after another, for each is several actor systems.</summary>
[CollectionDefinition("whole runs")]
public sealed class WholeRuns : ICollectionFixture<ReferenceRun>;
