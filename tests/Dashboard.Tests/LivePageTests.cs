using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;
using Chorus.Dashboard.Tests.Support;

namespace Chorus.Dashboard.Tests;

/// <summary>The page over real runs: actors, journal, cluster, with stubs for the models.</summary>
[Collection(LiveRuns.Name)]
public sealed class LivePageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_private_texts_with_a_canary_When_a_run_is_followed_to_its_end_Then_the_page_tells_all_of_it_and_no_byte_of_them()
    {
        var said = new List<string>();
        await using var live = await LiveRun.StartAsync(_folder, nodes: 3);
        var page = await live.Served.Client.GetStringAsync("/");
        var last = await live.Served.FollowAsync(parts =>
        {
            said.AddRange(parts.Values);
            return parts.GetValueOrDefault("state", "").Contains("\"status\":\"done\"", StringComparison.Ordinal) && parts["log"].Contains("the run is done", StringComparison.Ordinal);
        });

        Assert.Equal(RunOutcome.Done, (await live.EndAsync())!.Outcome);
        Assert.Contains(TinyCorpus.Canary, File.ReadAllText(Path.Combine(_folder.In("data"), "train_clients.json")), StringComparison.Ordinal);
        Assert.All([page, .. said], text => Assert.DoesNotContain(TinyCorpus.Canary, text, StringComparison.OrdinalIgnoreCase));
        Assert.All([page, .. said], text => Assert.DoesNotContain("client-0", text, StringComparison.Ordinal)); // nor who they are
        Assert.Contains("3 nodes up", string.Concat(said), StringComparison.Ordinal);
        Assert.Contains("round 2 is done", last["log"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_the_token_When_the_run_is_paused_and_let_go_and_stopped_Then_it_does_so_and_the_page_says_it()
    {
        await using var live = await LiveRun.StartAsync(_folder, nodes: 1, hold: true);
        var served = live.Served;
        using (await served.SendAsync(HttpMethod.Post, "/control/pause", served.Token.Value))
        {
        }

        await served.FollowAsync(p => p.GetValueOrDefault("log", "").Contains("asked to pause after this round", StringComparison.Ordinal));
        live.Release();
        var paused = await served.FollowAsync(p => p.GetValueOrDefault("state", "").Contains("\"status\":\"paused\"", StringComparison.Ordinal)
            && p.GetValueOrDefault("log", "").Contains(">paused<", StringComparison.Ordinal) && p.GetValueOrDefault("now", "").Contains("Paused", StringComparison.Ordinal));
        Assert.Contains("Paused before round", paused["now"], StringComparison.Ordinal);
        using (await served.SendAsync(HttpMethod.Post, "/control/go-on", served.Token.Value))
        {
        }

        await served.FollowAsync(p => p.GetValueOrDefault("log", "").Contains("goes on", StringComparison.Ordinal));
        using (await served.SendAsync(HttpMethod.Post, "/control/stop", served.Token.Value))
        {
        }

        var ended = await live.EndAsync();
        Assert.True(ended!.Outcome is RunOutcome.Stopped or RunOutcome.Done, ended.Message); // its last step may have been faster
    }

    [Fact]
    public async Task Given_a_client_node_that_falls_silent_When_watched_Then_the_page_shows_it_unreachable_and_then_lost()
    {
        await using var live = await LiveRun.StartAsync(_folder, nodes: 3, hold: true);
        var lost = "";
        var parts = await live.Served.FollowAsync(p =>
        {
            if (lost.Length == 0 && p.GetValueOrDefault("cluster", "").Contains("3 nodes up", StringComparison.Ordinal))
                lost = live.Abandon();
            return p.GetValueOrDefault("log", "").Contains("cannot be reached", StringComparison.Ordinal) && p["cluster"].Contains("unreachable", StringComparison.Ordinal);
        });
        Assert.Contains($"node {lost} cannot be reached", parts["log"], StringComparison.Ordinal);

        parts = await live.Served.FollowAsync(p => p.GetValueOrDefault("log", "").Contains($"node {lost} is lost", StringComparison.Ordinal));
        Assert.Contains("gone", parts["nodes"], StringComparison.Ordinal);
        live.Release();
        Assert.Equal(RunOutcome.Done, (await live.EndAsync())!.Outcome);
    }
}

/// <summary>One after another: each is several actor systems.</summary>
[CollectionDefinition(Name)]
public sealed class LiveRuns
{
    public const string Name = "live runs";
}
