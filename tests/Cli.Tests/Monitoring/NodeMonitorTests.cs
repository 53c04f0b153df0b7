using System.Diagnostics;
using System.Globalization;
using System.Net;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Monitoring;

/// <summary>What watches over processes: health, readiness, Prometheus' page, and what a collector is sent.</summary>
[Collection(CliCollection.Name)]
public sealed class NodeMonitorTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_a_cluster_that_is_watched_When_its_run_is_done_Then_it_was_ready_in_time_and_all_was_measured()
    {
        using var collector = new FakeCollector();
        await using var simulation = ChildProcess.Chorus(
            _folder, "simulate", "--run", _folder.TinyRun, "--out", _folder.Fresh("watched"), "--nodes", "2", "--monitor", "0", "--otlp", collector.Address);
        using var coordinator = new HttpClient { BaseAddress = AddressIn(await simulation.LineAsync("monitor: ")) };
        var seed = (await simulation.LineAsync("--seed-node")).Split(' ')[^1];
        await UntilReadyAsync(coordinator); // it is said before the cluster has taken the node up; from then on others may join it

        await using var node = ChildProcess.Chorus(_folder, "node", "--seed-node", seed, "--monitor", "0", "--otlp", "http://127.0.0.1:1"); // nobody is there, and nobody minds
        using var client = new HttpClient { BaseAddress = AddressIn(await node.LineAsync("monitor: ")) };
        await node.LineAsync("joined as");
        await using (var health = ChildProcess.Chorus(_folder, "cluster", "health", "--port", $"{client.BaseAddress.Port}", "--ready"))
        {
            Assert.True(await health.ExitAsync() == ExitCode.Done, health.Output + health.Errors);
            Assert.Equal("ready", health.Output);
        }

        Assert.True(await simulation.ExitAsync() == ExitCode.Done, simulation.Errors);
        var page = await client.GetStringAsync(new Uri("metrics", UriKind.Relative));
        Assert.Equal(2 * 40, Sum(page, "chorus_votes_total")); // two rounds of all clients, whatever became of a vote
        Assert.Contains("chorus_queue_length", page, StringComparison.Ordinal);
        Assert.Contains("dotnet_gc_collections", page, StringComparison.Ordinal);
        var (metrics, traces) = (collector.Received("/v1/metrics"), collector.Received("/v1/traces"));
        foreach (var name in new[] { "chorus.rounds", "chorus.phase.duration", "chorus.privacy.epsilon.spent", "chorus.clients.counted", "chorus.queue.length" })
            Assert.Contains(name, metrics, StringComparison.Ordinal);
        foreach (var name in new[] { "round", "generate", "feedback", "learn", "evaluate", "synthesize" })
            Assert.Contains(name, traces, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_node_without_a_cluster_When_it_is_asked_Then_it_is_alive_and_not_ready_and_says_why()
    {
        await using var node = ChildProcess.Chorus(_folder, "node", "--seed-node", "127.0.0.1:1", "--monitor", "0");
        using var client = new HttpClient { BaseAddress = AddressIn(await node.LineAsync("monitor: ")) };
        await node.LineAsync("joining");

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("health", UriKind.Relative))).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(new Uri("elsewhere", UriKind.Relative))).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await client.PostAsync(new Uri("health", UriKind.Relative), null)).StatusCode);
        await using (var health = ChildProcess.Chorus(_folder, "cluster", "health", "--port", $"{client.BaseAddress.Port}"))
            Assert.Equal(ExitCode.Done, await health.ExitAsync());
        await using (var ready = ChildProcess.Chorus(_folder, "cluster", "health", "--port", $"{client.BaseAddress.Port}", "--ready"))
        {
            Assert.Equal(ExitCode.Failed, await ready.ExitAsync());
            Assert.Equal("it is not a member of a cluster yet", ready.Output);
        }

        await node.TerminateAsync();
        Assert.Equal(ExitCode.Done, await node.ExitAsync());
        await using var gone = ChildProcess.Chorus(_folder, "cluster", "health", "--port", $"{client.BaseAddress.Port}");
        Assert.Equal(ExitCode.Failed, await gone.ExitAsync());
        Assert.Contains("--monitor", gone.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--monitor 70000", "the monitor's port must be in [0, 65535]")]
    [InlineData("--monitor-host 127.0.0.1", "--monitor-host goes with --monitor")]
    [InlineData("--monitor 0 --monitor-host no.such.host.invalid", "the monitor cannot be served on no.such.host.invalid:0")]
    [InlineData("--otlp collector:4318", "--otlp takes the address of a collector")]
    [InlineData("--otlp http://me:hunter2@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS")]
    public async Task Given_what_cannot_be_watched_When_a_run_is_started_Then_it_is_bad_input_and_nothing_is_written(string options, string said)
    {
        var output = _folder.Fresh("refused");
        await using var chorus = ChildProcess.Chorus(_folder, ["simulate", "--run", _folder.TinyRun, "--out", output, .. options.Split(' ')]);
        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains(said, chorus.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", chorus.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }

    private static async Task UntilReadyAsync(HttpClient monitor)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            using var answer = await monitor.GetAsync(new Uri("ready", UriKind.Relative));
            if (answer.StatusCode == HttpStatusCode.OK)
                return;
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(30), $"not ready yet: {await answer.Content.ReadAsStringAsync()}");
            await Task.Delay(100);
        }
    }

    /// <summary>From a line such as "monitor: http://127.0.0.1:9464/health, ready, metrics".</summary>
    private static Uri AddressIn(string line) => new(line.Split(' ')[1].Replace("health,", "", StringComparison.Ordinal));

    /// <summary>The sum of a metric over its labels.</summary>
    private static double Sum(string page, string metric) => page.Split('\n')
        .Where(line => line.StartsWith($"{metric}{{", StringComparison.Ordinal))
        .Sum(line => double.Parse(line[(line.IndexOf('}', StringComparison.Ordinal) + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture));
}
