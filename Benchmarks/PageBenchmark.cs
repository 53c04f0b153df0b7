using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Chorus.Actors.Runs;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Watch;
using Chorus.Cli.Tests.Support;
using Chorus.Dashboard;
using PuppeteerSharp;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Benchmarks;

/// <summary>
/// What the live page costs the run that it shows. First the page by itself: processor time a second that drawing a view a second
/// and sending it to ten open pages takes, its weight, and in a Chromium, where there is one, the time to its first contentful
/// paint. Then runs of the quickstart without and with ten open pages, interleaved in pairs whose order alternates: wall-clock and
/// processor time of the run's process. Pages are read by a process of their own, as browsers are.
/// </summary>
internal static class PageBenchmark
{
    private const int Pages = 10;
    private const int Nodes = 5;

    public static async Task<int> RunAsync(BenchmarkArguments arguments)
    {
        using var folder = new TestFolder();
        var (pairs, rounds) = (arguments.Int("pairs", 5), arguments.Int("rounds", 6));
        // The first run makes the corpus and the policy, which all others find in the cache; a run that is there already saves it.
        var shown = arguments.Text("run", "") is { Length: > 0 } given && pairs == 0 ? given : (await OneAsync(folder, rounds, pages: 0)).Folder;
        await AloneAsync(shown, arguments.Int("seconds", 30));
        var (without, with) = (new List<Cost>(), new List<Cost>());
        for (var pair = 0; pair < pairs; pair++)
        {
            foreach (var pages in pair % 2 == 0 ? new[] { 0, Pages } : [Pages, 0])
            {
                var cost = await OneAsync(folder, rounds, pages);
                (pages == 0 ? without : with).Add(cost);
                Say($"run with {pages,2} pages: {cost.Wall,7:0.00} s, {cost.Processor,7:0.00} s of processors");
            }
        }

        if (pairs > 0)
        {
            Say($"with / without, medians of {pairs} pairs: wall {Median(without, with, c => c.Wall):0.0000}, processor time {Median(without, with, c => c.Processor):0.0000}");
            Say($"all pairs: wall {All(without, with, c => c.Wall)}; processor time {All(without, with, c => c.Processor)}");
        }

        return 0;
    }

    /// <summary>The other process: opens pages and reads what comes until it is killed.</summary>
    public static async Task<int> ReadAsync(string address, int pages)
    {
        using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = pages }) { Timeout = Timeout.InfiniteTimeSpan };
        await Task.WhenAll(Enumerable.Range(0, pages).Select(async _ =>
        {
            var buffer = new byte[65_536];
            using var response = await client.GetAsync(new Uri($"{address}events"), HttpCompletionOption.ResponseHeadersRead);
            await using var stream = await response.EnsureSuccessStatusCode().Content.ReadAsStreamAsync();
            while (await stream.ReadAsync(buffer) > 0)
            {
            }
        }));
        return 0;
    }

    private static async Task<Cost> OneAsync(TestFolder folder, int rounds, int pages)
    {
        var output = folder.Fresh("run");
        var (cpu, start) = (ProcessorOfChildren(), Stopwatch.GetTimestamp());
        Process? readers = null;
        await using (var run = ChildProcess.Chorus(
            folder, "simulate", "--out", output, "--rounds", $"{rounds}", "--dashboard", "0",
            "--set", "evaluation.downstream=off", "--set", "synthetic.texts=100", "--set", "policy.device=cpu"))
        {
            if (pages > 0)
                readers = Readers((await run.LineAsync("page: "))["page: ".Length..].Split(' ')[0], pages);
            var code = await run.ExitAsync(TimeSpan.FromMinutes(30));
            if (code != 0)
                throw new InvalidOperationException($"the run ended with {code}: {run.Errors}");
        }

        // The run is over, waited for and counted; its readers are not yet.
        var cost = new Cost(output, Stopwatch.GetElapsedTime(start).TotalSeconds, ProcessorOfChildren() - cpu);
        readers?.Kill();
        readers?.WaitForExit();
        readers?.Dispose();
        return cost;
    }

    private static async Task AloneAsync(string run, int seconds)
    {
        var view = FinishedRun.Read(new RunFolder(run), TimeProvider.System) with { Live = true };
        view = view with { History = view.History with { State = view.History.State with { Finished = null } } };
        for (var i = 0; i < Nodes; i++)
            view = view.WithNode($"10.0.0.{i}:4053", i == 0 ? ["coordinator", "policy", "trainer"] : ["client"], NodeStatus.Up, view.At);
        await using var server = await DashboardServer.StartAsync(new DashboardOptions { Port = 0, Token = AccessToken.Fresh() });
        server.Show(view);
        await WeighAsync(server);
        await PaintAsync(server);

        using var readers = Readers(server.Address.ToString(), Pages);
        await Task.Delay(2000);
        // What draws the page is compiled, and compiled again, as it is used: the later stretch is what a run of hours pays.
        foreach (var stretch in new[] { "first", "next" })
        {
            var (cpu, start) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
            for (var second = 0; second < seconds; second++)
            {
                view = Next(view, second);
                server.Show(view);
                await Task.Delay(1000);
            }

            var spent = (Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds / Stopwatch.GetElapsedTime(start).TotalSeconds;
            Say($"a view a second of {Nodes} nodes for {Pages} pages, {stretch} {seconds} s: {spent:0.00} ms of a processor a second, {spent / 10 / Environment.ProcessorCount:0.000}% of this machine's {Environment.ProcessorCount}");
        }

        readers.Kill();
        readers.WaitForExit();
    }

    /// <summary>All that changes while a round goes on: its progress, every node, the device, the time.</summary>
    private static RunView Next(RunView view, int second)
    {
        view = view.With(new RunProtocol.RunProgress(view.Facts.Run, view.Facts.Rounds, "feedback", second * 37, 2000, $"{second} of 20 blocks"), view.At);
        foreach (var node in view.Nodes)
        {
            view = view.With(node.Address, new NodeVitals(
                view.Facts.Run, second, 0.5 + 0.4 * Math.Sin(second), 300_000_000 + second * 1_000_000, 24_000_000_000, 2, 20, 20,
                [
                    new Reading("chorus.votes", "kind=cast", second * second * 100),
                    new Reading("chorus.device.tokens", "device=cpu,work=generate", second * 3000 + second % 7 * 100),
                    new Reading("chorus.device.time", "device=cpu,part=generate", second * 0.8),
                ]));
        }

        return view.Tick(view.At.AddSeconds(1));
    }

    private static async Task WeighAsync(DashboardServer server)
    {
        using var client = new HttpClient { BaseAddress = server.Address };
        var sizes = new List<string>();
        var all = 0;
        foreach (var target in new[] { "/", "/page.css", "/page.js", "/icon.svg" })
        {
            var bytes = (await client.GetByteArrayAsync(target)).Length;
            all += bytes;
            sizes.Add($"{target} {bytes / 1000.0:0.0}");
        }

        Say($"weight: {all / 1000.0:0.0} kB ({string.Join(", ", sizes)})");
    }

    private static async Task PaintAsync(DashboardServer server)
    {
        if (new[] { Environment.GetEnvironmentVariable("CHORUS_CHROMIUM"), "/usr/bin/chromium" }.FirstOrDefault(File.Exists) is not { } chromium)
        {
            Say("first paint: no Chromium here");
            return;
        }

        await using var browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = chromium,
            Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        var times = new List<double>();
        for (var i = 0; i < 9; i++)
        {
            await using var context = await browser.CreateBrowserContextAsync(); // nothing is kept from the page before
            await using var page = await context.NewPageAsync();
            await page.GoToAsync(server.Address.ToString(), WaitUntilNavigation.DOMContentLoaded);
            await page.WaitForExpressionAsync("performance.getEntriesByName('first-contentful-paint').length > 0 && document.documentElement.dataset.link === 'live'");
            var paint = await page.EvaluateExpressionAsync<JsonElement>("performance.getEntriesByName('first-contentful-paint')[0].startTime");
            times.Add(paint.GetDouble());
        }

        times.Sort();
        Say($"first contentful paint, with all figures: {times[times.Count / 2]:0} ms (of 9: {times[0]:0} to {times[^1]:0})");
    }

    private static Process Readers(string address, int pages)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(PageBenchmark).Assembly.Location);
        foreach (var argument in new[] { "page-readers", address, $"{pages}" })
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    /// <summary>Processor seconds of all children that have ended (Linux: cutime and cstime).</summary>
    private static double ProcessorOfChildren()
    {
        var fields = File.ReadAllText("/proc/self/stat").Split(") ")[1].Split(' ');
        return (long.Parse(fields[13], CultureInfo.InvariantCulture) + long.Parse(fields[14], CultureInfo.InvariantCulture)) / 100.0;
    }

    private static double Median(List<Cost> without, List<Cost> with, Func<Cost, double> of)
    {
        var ratios = without.Zip(with, (a, b) => of(b) / of(a)).Order().ToArray();
        return ratios.Length % 2 == 1 ? ratios[ratios.Length / 2] : (ratios[ratios.Length / 2 - 1] + ratios[ratios.Length / 2]) / 2;
    }

    private static string All(List<Cost> without, List<Cost> with, Func<Cost, double> of) =>
        string.Join(" ", without.Zip(with, (a, b) => (of(b) / of(a)).ToString("0.000", CultureInfo.InvariantCulture)));

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static void Say(string line) => Console.WriteLine(line);

    private sealed record Cost(string Folder, double Wall, double Processor);
}
