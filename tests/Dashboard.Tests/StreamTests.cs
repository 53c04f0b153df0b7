using System.Net;
using System.Net.Sockets;
using System.Text;
using Chorus.Dashboard.Tests.Support;

namespace Chorus.Dashboard.Tests;

/// <summary>How a page hears of what is new.</summary>
public sealed class StreamTests : IDisposable
{
    private readonly ExampleRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Given_a_page_that_opens_When_it_listens_Then_it_gets_every_part_that_has_a_place_on_it()
    {
        await using var served = await Served.StartAsync();
        served.Server.Show(_run.View());
        var parts = await served.FollowAsync(p => p.ContainsKey("beat"));
        var page = await served.Client.GetStringAsync("/");

        foreach (var part in parts.Keys.Except(["state", "beat"]))
            Assert.Contains($"data-part=\"{part}\"", page, StringComparison.Ordinal);
        Assert.Equal(page.Split("data-part=\"").Length - 1, parts.Count - 2);
        Assert.Contains("Round 3 of 6: clients vote", parts["now"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_an_open_page_When_something_changes_Then_that_comes_and_nothing_else()
    {
        await using var served = await Served.StartAsync();
        var view = _run.View();
        served.Server.Show(view);
        var beats = 0;
        var later = new List<string>();
        await served.FollowAsync(parts =>
        {
            if (parts.Remove("beat"))
            {
                if (beats++ == 0)
                    served.Server.Show(view.Say(Chorus.Actors.Watch.HappeningKind.Node, "a node waved", view.At));
                parts.Clear();
            }
            else if (beats > 0)
            {
                later.AddRange(parts.Keys);
                Assert.Contains("a node waved", parts.Values.Single(), StringComparison.Ordinal);
                parts.Clear();
            }

            return later.Count == 2;
        });
        Assert.Equal(["say", "log"], later);
    }

    [Fact]
    public async Task Given_a_page_that_is_stuck_When_the_run_goes_on_Then_showing_waits_for_nobody_and_another_page_sees_the_newest()
    {
        await using var served = await Served.StartAsync();
        var view = _run.View(done: 5);
        served.Server.Show(view);
        var patience = TimeSpan.FromSeconds(30);

        // It asks, and never reads: soon its connection is full.
        using var stuck = new TcpClient { ReceiveBufferSize = 2048 };
        await stuck.ConnectAsync(IPAddress.Loopback, served.Port);
        await stuck.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{served.Port}\r\n\r\n"));

        var seen = served.FollowAsync(parts => parts.GetValueOrDefault("log", "").Contains("the last of all", StringComparison.Ordinal));
        var shown = Task.Run(() =>
        {
            // Far more than any buffer between here and there could hold.
            for (var i = 0; i < 20_000; i++)
                served.Server.Show(view.Say(Chorus.Actors.Watch.HappeningKind.Node, $"{i} {new string('x', 500)}", view.At));
            served.Server.Show(view.Say(Chorus.Actors.Watch.HappeningKind.Node, "the last of all", view.At));
        });

        await shown.WaitAsync(patience);
        await seen.WaitAsync(patience);
    }

    [Fact]
    public async Task Given_more_pages_than_anybody_opens_When_one_more_comes_Then_it_is_refused_and_one_that_goes_makes_room()
    {
        await using var served = await Served.StartAsync();
        served.Server.Show(_run.View());
        var open = new List<HttpResponseMessage>();
        try
        {
            while (open.Count < 64)
            {
                open.Add(await served.SendAsync(HttpMethod.Get, "/events"));
                Assert.Equal(HttpStatusCode.OK, open[^1].StatusCode);
            }

            using var refused = await served.SendAsync(HttpMethod.Get, "/events");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            open[0].Dispose();
            await UntilAsync(async () =>
            {
                using var again = await served.SendAsync(HttpMethod.Get, "/events");
                return again.StatusCode == HttpStatusCode.OK;
            });
        }
        finally
        {
            open.ForEach(r => r.Dispose());
        }
    }

    [Fact]
    public async Task Given_pages_that_come_and_go_When_counted_Then_the_run_is_told_when_somebody_looks()
    {
        await using var served = await Served.StartAsync();
        served.Server.Show(_run.View());
        await served.FollowAsync(p => p.ContainsKey("beat"));
        Assert.Equal(1, served.Watched[0]);
        await UntilAsync(() => Task.FromResult(served.Watched[^1] == 0));
        Assert.Equal([1, 0], served.Watched);
    }

    [Fact]
    public async Task Given_a_run_that_ends_When_its_server_is_closed_Then_open_pages_have_its_last_state()
    {
        var served = await Served.StartAsync();
        served.Server.Show(_run.View());
        var first = new TaskCompletionSource();
        var following = served.FollowAsync(p =>
        {
            first.TrySetResult();
            return p.ContainsKey("over");
        });
        await first.Task;
        served.Server.Show(_run.Done());
        await served.Server.DisposeAsync();

        var last = await following;
        Assert.Contains("\"status\":\"done\"", last["state"], StringComparison.Ordinal);
        Assert.Contains("50% of the gap", last["now"], StringComparison.Ordinal);
        await served.DisposeAsync();
    }

    [Fact]
    public async Task Given_a_server_that_starts_again_on_its_port_When_asked_Then_it_answers_at_once()
    {
        var first = await Served.StartAsync();
        first.Server.Show(_run.View(done: 1));
        await first.FollowAsync(p => p.ContainsKey("beat"));
        var port = first.Port;
        await first.DisposeAsync();

        await using var second = await Served.StartAsync(port: port);
        second.Server.Show(_run.View(done: 2));
        var parts = await second.FollowAsync(p => p.ContainsKey("beat"));
        Assert.Contains("2 / 6", parts["tiles"], StringComparison.Ordinal);
    }

    private static async Task UntilAsync(Func<Task<bool>> there)
    {
        using var patience = new CancellationTokenSource(Served.Patience);
        while (!await there())
            await Task.Delay(20, patience.Token);
    }
}
