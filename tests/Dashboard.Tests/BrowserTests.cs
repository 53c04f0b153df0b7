using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;
using Chorus.Dashboard.Tests.Support;
using PuppeteerSharp.Input;

namespace Chorus.Dashboard.Tests;

/// <summary>The page in a real browser.</summary>
[Collection(LiveRuns.Name)]
public sealed class BrowserTests(Chromium chromium) : IClassFixture<Chromium>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [BrowserFact]
    public async Task Given_a_run_When_its_page_is_open_Then_it_follows_round_after_round_to_the_end_without_an_error()
    {
        await using var live = await LiveRun.StartAsync(_folder, nodes: 3, hold: true);
        await using var page = await chromium.OpenAsync(live.Served.Server.Address);
        await page.UntilAsync("document.documentElement.dataset.link === 'live'");
        await page.UntilAsync("document.querySelector('#now h1').innerText.includes('Round 1 of 2')");
        await page.EvaluateAsync<bool>("window.mark = true"); // gone if the page were loaded again
        await page.UntilAsync("document.querySelector('#cluster svg title').textContent.includes('3 nodes up')");

        live.Release();
        await page.UntilAsync("document.querySelector('#now h1').innerText.startsWith('Done')");
        await page.UntilAsync("document.querySelectorAll('#rounds tbody tr').length === 2");
        Assert.Contains("50% of the gap", await page.TextAsync("#now h1"), StringComparison.Ordinal);
        Assert.Contains("done", await page.Page.GetTitleAsync(), StringComparison.Ordinal);
        Assert.True(await page.EvaluateAsync<bool>("window.mark"));
        Assert.Equal(RunOutcome.Done, (await live.EndAsync())!.Outcome);
        Assert.Empty(page.Errors);
    }

    [BrowserFact]
    public async Task Given_an_open_page_When_the_coordinator_crashes_and_is_resumed_Then_the_page_goes_on_by_itself()
    {
        await using var first = await LiveRun.StartAsync(_folder, nodes: 1, hold: true);
        var port = first.Served.Port;
        await using var page = await chromium.OpenAsync(first.Served.Server.Address);
        await page.UntilAsync("document.querySelector('#now h1').innerText.includes('Round 1 of 2: the model learns')");
        await page.EvaluateAsync<bool>("window.mark = true");

        await first.CrashAsync();
        await page.UntilAsync("document.documentElement.dataset.link === 'lost' || document.documentElement.dataset.link === 'over'");
        Assert.Contains("Round 1 of 2", await page.TextAsync("#now h1"), StringComparison.Ordinal); // what was known stays

        await using var second = await LiveRun.StartAsync(_folder, nodes: 1, port: port, resume: true);
        await page.UntilAsync("document.documentElement.dataset.link === 'live'");
        await page.UntilAsync("document.querySelector('#now h1').innerText.startsWith('Done')");
        Assert.True(await page.EvaluateAsync<bool>("window.mark"));
        Assert.Equal(RunOutcome.Done, (await second.EndAsync())!.Outcome);
        // While nobody listens the browser itself says so; the page's script says nothing.
        Assert.All(page.Errors, e => Assert.Contains("net::ERR_", e, StringComparison.Ordinal));
    }

    [BrowserFact]
    public async Task Given_a_node_that_falls_silent_When_the_page_is_open_Then_it_is_drawn_as_unreachable()
    {
        await using var live = await LiveRun.StartAsync(_folder, nodes: 3, hold: true);
        await using var page = await chromium.OpenAsync(live.Served.Server.Address);
        await page.UntilAsync("document.querySelector('#cluster svg title')?.textContent.includes('3 nodes up')");
        var lost = live.Abandon();
        await page.UntilAsync("document.querySelector('#cluster svg g.unreachable') !== null");
        Assert.Contains(lost, await page.EvaluateAsync<string>("document.querySelector('#cluster svg g.unreachable').textContent"), StringComparison.Ordinal);
        Assert.Contains("unreachable", await page.EvaluateAsync<string>("document.querySelector('#cluster svg > title').textContent"), StringComparison.Ordinal);
        await page.UntilAsync($"document.querySelector('#log').innerText.includes('node {lost} is lost')");
        Assert.Empty(page.Errors);
    }

    [BrowserTheory]
    [InlineData(false, 1280)]
    [InlineData(true, 1280)]
    [InlineData(false, 360)]
    [InlineData(true, 360)]
    public async Task Given_the_page_light_dark_wide_and_narrow_When_checked_Then_axe_finds_nothing_and_nothing_sticks_out(bool dark, int width)
    {
        using var run = new ExampleRun(more: "chorus.diagnostics = on");
        await using var served = await Served.StartAsync();
        foreach (var view in new[] { run.View(done: 3, nodes: 5), run.View(done: 0, nodes: 0), run.Done() })
        {
            served.Server.Show(view);
            await using var page = await chromium.OpenAsync(served.Server.AddressWithToken, dark, width);
            await page.UntilAsync("document.documentElement.dataset.link === 'live'");
            await page.EvaluateAsync<bool>("(document.querySelectorAll('details').forEach(d => d.open = true), true)");
            await page.AssertAccessibleAsync();
            Assert.True(await page.EvaluateAsync<int>("document.documentElement.scrollWidth") <= width);
            Assert.Empty(page.Errors);
        }
    }

    [BrowserFact]
    public async Task Given_the_token_behind_the_number_sign_When_opened_Then_it_leaves_the_address_and_keys_alone_pause_and_stop_the_run()
    {
        using var run = new ExampleRun();
        await using var served = await Served.StartAsync();
        served.Server.Show(run.View());
        await using var page = await chromium.OpenAsync(served.Server.AddressWithToken);
        await page.UntilAsync("!document.querySelector('#controls').hidden");
        Assert.DoesNotContain("token", page.Page.Url, StringComparison.Ordinal);

        // From the top of the page by Tab: the skip link, then the first button.
        await page.Page.Keyboard.PressAsync(Key.Tab);
        Assert.Equal("skip", await page.EvaluateAsync<string>("document.activeElement.className"));
        await page.Page.Keyboard.PressAsync(Key.Tab);
        Assert.Equal("hold", await page.EvaluateAsync<string>("document.activeElement.id"));
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await UntilAsync(() => served.Asked is ["pause"]);

        served.Server.Show(run.View().With(new RunProtocol.HoldChanged(run.Run, RunHold.Held), ExampleRun.At(99)));
        await page.UntilAsync("document.querySelector('#hold').innerText === 'Go on'");
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await UntilAsync(() => served.Asked is ["pause", "go on"]);

        // Stop asks again, and what is nearest says no.
        await page.Page.Keyboard.PressAsync(Key.Tab);
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await page.UntilAsync("document.querySelector('#confirm').open");
        await page.AssertAccessibleAsync();
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await page.UntilAsync("!document.querySelector('#confirm').open");
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await page.UntilAsync("document.querySelector('#confirm').open");
        await page.Page.Keyboard.PressAsync(Key.Tab);
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await UntilAsync(() => served.Asked is ["pause", "go on", "stop"]);
        Assert.Empty(page.Errors);
    }

    [BrowserFact]
    public async Task Given_no_token_When_opened_Then_the_page_offers_nothing_that_it_could_not_do()
    {
        using var run = new ExampleRun();
        await using var served = await Served.StartAsync();
        served.Server.Show(run.View());
        await using var page = await chromium.OpenAsync(served.Server.Address);
        await page.UntilAsync("document.documentElement.dataset.link === 'live'");
        Assert.True(await page.EvaluateAsync<bool>("document.querySelector('#controls').hidden"));
    }

    [BrowserFact]
    public async Task Given_a_page_that_needs_its_token_When_a_wrong_and_then_the_right_one_is_typed_Then_it_opens()
    {
        using var run = new ExampleRun();
        await using var served = await Served.StartAsync("0.0.0.0");
        served.Server.Show(run.View());
        await using var page = await chromium.OpenAsync(new Uri($"http://127.0.0.1:{served.Port}/"));
        await page.UntilAsync("!document.querySelector('#ask-token').hidden && document.activeElement.id === 'token'");
        await page.AssertAccessibleAsync();
        await page.Page.Keyboard.TypeAsync("wrong");
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await page.UntilAsync("document.querySelector('#token-wrong').innerText.length > 0");
        await page.EvaluateAsync<string>("document.querySelector('#token').value = ''");
        await page.Page.Keyboard.TypeAsync(served.Token.Value);
        await page.Page.Keyboard.PressAsync(Key.Enter);
        await page.UntilAsync("document.documentElement.dataset.link === 'live'");
        await page.UntilAsync("document.querySelector('#now h1').innerText.includes('Round 3 of 6')");
        // The refusals are the browser's own words; the page's script says nothing.
        Assert.All(page.Errors, e => Assert.Contains("401", e, StringComparison.Ordinal));
    }

    private static async Task UntilAsync(Func<bool> there)
    {
        using var patience = new CancellationTokenSource(Served.Patience);
        while (!there())
            await Task.Delay(20, patience.Token);
    }
}
