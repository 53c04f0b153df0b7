using System.Collections.Concurrent;
using System.Text.Json;
using Deque.AxeCore.Commons;
using PuppeteerSharp;

namespace Chorus.Dashboard.Tests.Support;

/// <summary>A fact that needs a Chromium, and is skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute()
    {
        if (Chromium.Program is null)
            Skip = Chromium.Missing;
    }
}

/// <summary>A theory that needs a Chromium, and is skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BrowserTheoryAttribute : TheoryAttribute
{
    public BrowserTheoryAttribute()
    {
        if (Chromium.Program is null)
            Skip = Chromium.Missing;
    }
}

/// <summary>One headless Chromium for the tests of a class.</summary>
public sealed class Chromium : IAsyncLifetime
{
    internal const string Missing = "no Chromium here: Debian's package chromium has one, or name one in CHORUS_CHROMIUM";

    private IBrowser? _browser;

    /// <summary>Null where there is none.</summary>
    public static string? Program { get; } = new[] { Environment.GetEnvironmentVariable("CHORUS_CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }
        .FirstOrDefault(p => p is { Length: > 0 } && File.Exists(p));

    public async Task InitializeAsync()
    {
        if (Program is not { } program)
            return;
        _browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = program,
            Headless = true,
            Timeout = (int)Served.Patience.TotalMilliseconds,
            // The sandbox needs rights that a test's machine may not give; the rest keeps it from calling home.
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--disable-extensions",
            ],
        });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
    }

    /// <summary>Opens an address in a window of its own.</summary>
    internal async Task<BrowserPage> OpenAsync(Uri address, bool dark = false, int width = 1280)
    {
        var context = await _browser!.CreateBrowserContextAsync();
        var page = await context.NewPageAsync();
        var opened = new BrowserPage(page);
        await page.SetViewportAsync(new ViewPortOptions { Width = width, Height = 900 });
        await page.EmulateMediaFeaturesAsync([new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = dark ? "dark" : "light" }]);
        await page.GoToAsync(address.ToString(), new NavigationOptions { WaitUntil = [WaitUntilNavigation.DOMContentLoaded], Timeout = (int)Served.Patience.TotalMilliseconds });
        return opened;
    }
}

/// <summary>A page in the browser, and what went wrong on it.</summary>
internal sealed class BrowserPage : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _errors = [];

    public BrowserPage(IPage page)
    {
        Page = page;
        page.Console += (_, e) =>
        {
            if (e.Message.Type is ConsoleType.Error or ConsoleType.Warning)
                _errors.Enqueue($"{e.Message.Type}: {e.Message.Text}");
        };
        page.PageError += (_, e) => _errors.Enqueue($"exception: {e.Message}");
        page.Error += (_, e) => _errors.Enqueue($"crash: {e.Error}");
    }

    public IPage Page { get; }

    /// <summary>Errors and warnings of the console, and exceptions that nobody caught.</summary>
    public string[] Errors => [.. _errors];

    public Task<string> TextAsync(string selector) => Page.EvaluateFunctionAsync<string>("s => document.querySelector(s)?.innerText ?? ''", selector);

    public Task<T> EvaluateAsync<T>(string expression) => Page.EvaluateExpressionAsync<T>(expression);

    /// <summary>Waits until an expression is true on the page.</summary>
    public async Task UntilAsync(string expression, TimeSpan? within = null)
    {
        try
        {
            await Page.WaitForExpressionAsync(expression, new WaitForFunctionOptions { Timeout = (int)(within ?? TimeSpan.FromSeconds(60)).TotalMilliseconds, PollingInterval = 50 });
        }
        catch (WaitTaskTimeoutException)
        {
            throw new TimeoutException($"never came true: {expression}\n{await TextAsync("body")}\n{string.Join('\n', Errors)}");
        }
    }

    /// <summary>Runs axe-core's rules on the page as it is; none may speak against it.</summary>
    public async Task AssertAccessibleAsync()
    {
        // By the debugger's way in, which the page's own policy on scripts does not concern.
        await Page.EvaluateExpressionAsync(new BundledAxeScriptProvider().GetScript());
        var found = await Page.EvaluateExpressionAsync<JsonElement>(
            "axe.run(document, { resultTypes: ['violations'] }).then(r => r.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.failureSummary} at ${n.target.join(' ')}: ${n.html}`)))");
        var violations = string.Join('\n', found.EnumerateArray().Select(v => v.GetString()));
        Assert.True(violations.Length == 0, violations);
    }

    public async ValueTask DisposeAsync()
    {
        await Page.BrowserContext.CloseAsync();
        await Page.DisposeAsync();
    }
}
