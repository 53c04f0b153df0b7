using Chorus.Cli.Tests.Support;
using PuppeteerSharp;
using PuppeteerSharp.Media;

namespace Chorus.Benchmarks;

/// <summary>
/// Makes the documentation's pictures of the live page anew: runs the quickstart on four real processes, opens its page in a
/// Chromium and takes it light, dark and narrow while the third round's votes are learned from.
/// </summary>
internal static class PagePictures
{
    private const int Nodes = 4;

    /// <summary>Long enough for two cores that others use too.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(30);

    private static readonly (string Name, bool Dark, int Width, int Height)[] Pictures =
        [("page-light.png", false, 1280, 2320), ("page-dark.png", true, 1280, 2320), ("page-narrow.png", false, 390, 2600)];

    public static async Task<int> RunAsync(BenchmarkArguments arguments)
    {
        var to = Directory.CreateDirectory(arguments.Text("out", "docs")).FullName;
        using var folder = new TestFolder();
        await using var browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = arguments.Text("chromium", "/usr/bin/chromium"),
            Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"],
        });
        var carriers = new List<ChildProcess>();
        try
        {
            await using var run = ChildProcess.Chorus(folder, "simulate", "--nodes", $"{Nodes}", "--port", "0", "--out", folder.Fresh("run"), "--dashboard", "0", "--set", "policy.device=cpu");
            var address = (await run.LineAsync("page: "))["page: ".Length..].Split(' ')[0];
            var seed = (await run.LineAsync("--seed-node ")).Split("--seed-node ")[1].Trim();
            for (var i = 1; i < Nodes; i++)
                carriers.Add(ChildProcess.Chorus(folder, "node", "--roles", "client", "--seed-node", seed));
            await using var page = await browser.NewPageAsync();
            await page.SetViewportAsync(new ViewPortOptions { Width = 1280, Height = 900 });
            await page.GoToAsync(address, WaitUntilNavigation.DOMContentLoaded);
            await UntilAsync(page, "Round 3 of 6: the model learns");
            await Task.Delay(TimeSpan.FromSeconds(2)); // until the step tells how far it is
            foreach (var (name, dark, width, height) in Pictures)
            {
                await page.EmulateMediaFeaturesAsync([new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = dark ? "dark" : "light" }]);
                await page.SetViewportAsync(new ViewPortOptions { Width = width, Height = 900 });
                await page.ScreenshotAsync(Path.Combine(to, name), new ScreenshotOptions { Clip = new Clip { Width = width, Height = height } });
                Console.WriteLine(Path.Combine(to, name));
            }

            await run.TerminateAsync();
            await run.ExitAsync();
        }
        finally
        {
            foreach (var carrier in carriers)
                await carrier.DisposeAsync();
        }

        return 0;
    }

    /// <summary>Looks again and again: one wait by the browser itself may last three minutes at most.</summary>
    private static async Task UntilAsync(IPage page, string headline)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await page.EvaluateExpressionAsync<bool>($"document.querySelector('#now h1')?.innerText.includes('{headline}') ?? false"))
            await Task.Delay(200, patience.Token);
    }
}
