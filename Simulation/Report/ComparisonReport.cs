using System.Globalization;
using System.Text;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Report;

/// <summary>A comparison as one page for people and one table for programs.</summary>
public static class ComparisonReport
{
    public const string PageFile = "comparison.html";
    public const string TableFile = "comparison.csv";

    /// <summary>Writes both files into a folder, each whole or not at all.</summary>
    /// <param name="comparison">What is known so far.</param>
    /// <param name="title">Names the comparison.</param>
    /// <param name="command">The command that goes on with it.</param>
    /// <returns>Where the page is.</returns>
    public static string Write(Comparison comparison, string title, string command, string folder)
    {
        string page = Path.Combine(folder, PageFile);
        RunResultFile.WriteWhole(page, Render(comparison, title, command));
        RunResultFile.WriteWhole(Path.Combine(folder, TableFile), Csv(comparison));
        return page;
    }

    /// <summary>One line a run.</summary>
    public static string Csv(Comparison comparison)
    {
        ArgumentNullException.ThrowIfNull(comparison);
        var csv = new StringBuilder("method,epsilon,seed,accuracy,floor,ceiling,gap_closed,fid,mean_distance,mauve,epsilon_spent,bytes_to_client,bytes_from_client,client_seconds,server_seconds,seconds,command,error\n");
        foreach (var cell in comparison.Cells)
        {
            var run = cell.Result;
            csv.AppendJoin(',',
                cell.Method, Number(cell.Epsilon), cell.Seed.ToString(CultureInfo.InvariantCulture), Number(run?.Accuracy?.Method ?? (cell.Method == "public" ? run?.Accuracy?.Floor : null)),
                Number(comparison.Floors.TryGetValue(cell.Seed, out double floor) ? floor : null), Number(comparison.Ceilings.TryGetValue(cell.Seed, out double ceiling) ? ceiling : null),
                Number(comparison.GapOf(cell)), Number(run?.Final?.Fid), Number(run?.Final?.MeanDistance), Number(run?.Texts?.Mauve), Number(run?.Privacy.Epsilon),
                Number(run?.Cost?.BytesToClient), Number(run?.Cost?.BytesFromClient), Number(run?.Cost?.ClientSeconds), Number(run?.Cost?.ServerSeconds), Number(run?.Seconds.Total),
                Quoted(cell.Command), Quoted(cell.Error ?? "")).Append('\n');
        }

        return csv.ToString();
    }

    /// <summary>Renders the page.</summary>
    /// <returns>A complete HTML document.</returns>
    public static string Render(Comparison comparison, string title, string command)
    {
        ArgumentNullException.ThrowIfNull(comparison);
        return ReportPage.Of($"{title} · Chorus comparison", Html.Of($"""
            <header>
            <p class="kicker">Chorus comparison {title} · {Words.Counted(comparison.Floors.Count, "seed")}</p>
            <h1>{Headline(comparison)}</h1>
            <p class="lead">Each method's downstream model predicts held-out clients' next tokens; the gap is the distance from a model of public texts alone (floor) to one of the private texts themselves (ceiling), of the same seed.</p>
            </header>
            {Missing(comparison)}
            <section class="charts">
            <div class="card"><h3>Accuracy by budget</h3><p>Means over seeds, with 95% intervals where there are several.</p>{ComparisonCharts.Accuracy(comparison)}</div>
            <div class="card"><h3>Gap closed</h3><p>Means over seeds of the share of each seed's own gap, with 95% intervals.</p>{ComparisonCharts.Gaps(comparison)}</div>
            </section>
            <h2>Accuracy</h2>
            {Accuracies(comparison)}
            <h2>What it costs</h2>
            <p>A round's costs as POPri's paper counts them: what one client downloads and uploads at four bytes a number, processor time of one client in this simulation (an upper bound), and the server's time to make a round and to learn from it. Wall time is that of whole runs on this machine.</p>
            {Costs(comparison)}
            <h2>Runs</h2>
            <p>Each is an ordinary run with its own folder, report and journal. This goes on with what is missing:</p>
            <pre>{command}</pre>
            {Runs(comparison)}
            """));
    }

    private static string Headline(Comparison comparison)
    {
        var best = comparison.Rows.Where(r => r is { GapClosed: not null, Epsilon: not null }).GroupBy(r => r.Epsilon).OrderBy(g => g.Key).Select(g => g.MaxBy(r => r.GapClosed!.Mean)!).FirstOrDefault();
        return best is null
            ? "No method has been measured between a floor and a ceiling yet"
            : best.GapClosed!.Mean <= 0 ? "No method closes any of the gap"
            : $"{Words.Method(best.Method)} closes the largest share of the gap{(best.Epsilon is { } e ? $" at ε = {ComparisonCharts.EpsilonText(e)}" : "")}: {Words.Percent(best.GapClosed.Mean, 0)}{Plus(best.GapClosed)}";
    }

    private static string Plus(SeedMean mean) => mean.HalfWidth is { } half ? $" ± {Words.Percent(half, 0)}" : "";

    private static Html Missing(Comparison comparison)
    {
        int open = comparison.Cells.Count(c => c.Result is null && c.Error is null);
        var failed = comparison.Cells.Where(c => c.Error is not null).ToArray();
        return Html.Of($"""{(open > 0 ? Html.Of($"""<div class="banner" role="status"><strong>Not complete</strong><p>{Words.Counted(open, "run")} of {comparison.Cells.Count} to come.</p></div>""") : Html.Empty)}{(failed.Length > 0 ? Html.Of($"""<div class="banner" role="alert"><strong>{Words.Counted(failed.Length, "run")} failed</strong><p>{string.Join("; ", failed.Select(f => $"{Name(f)}: {f.Error}"))}</p></div>""") : Html.Empty)}""");
    }

    private static string Name(ComparisonCell cell) =>
        $"{Words.Method(cell.Method)}{(cell.Epsilon is { } e ? $", ε {ComparisonCharts.EpsilonText(e)}" : "")}, seed {cell.Seed}";

    private static Html Accuracies(Comparison comparison) => Html.Of($"""
        <div class="scroll"><table>
        <thead><tr><th>method</th><th>ε</th><th>seeds</th><th>accuracy</th><th>gap closed</th><th>ahead of {Words.Method(comparison.Reference ?? "")}</th><th>Fréchet distance</th><th>MAUVE</th></tr></thead>
        <tbody>
        {Bound("public texts (floor)", comparison.Floors)}
        {Html.Join(comparison.Rows.Select(r => Html.Of($"<tr><td>{Words.Method(r.Method)}</td><td>{(r.Epsilon is { } e ? ComparisonCharts.EpsilonText(e) : Words.Unknown)}</td><td>{r.Accuracy?.Seeds ?? 0}</td><td>{Shown(r.Accuracy, v => Words.Percent(v, 2))}</td><td>{Shown(r.GapClosed, v => Words.Percent(v))}</td><td>{Shown(r.Ahead, v => (v > 0 ? "+" : "") + Words.Percent(v))}</td><td>{Shown(r.Fid, v => Words.Short(v))}</td><td>{Shown(r.Mauve, v => Words.Short(v))}</td></tr>")))}
        {Bound("private texts (ceiling)", comparison.Ceilings)}
        </tbody></table></div>
        """);

    private static Html Bound(string name, IReadOnlyDictionary<ulong, double> values) => Html.Of(
        $"<tr><td>{name}</td><td>{Words.Unknown}</td><td>{values.Count}</td><td>{(values.Count > 0 ? Shown(SeedMean.Of([.. values.Values]), v => Words.Percent(v, 2)) : Words.Unknown)}</td><td>{Words.Unknown}</td><td>{Words.Unknown}</td><td>{Words.Unknown}</td><td>{Words.Unknown}</td></tr>");

    private static Html Costs(Comparison comparison) => Html.Of($"""
        <div class="scroll"><table>
        <thead><tr><th>method</th><th>ε</th><th>to a client</th><th>from a client</th><th>client</th><th>server</th><th>wall time of a run</th></tr></thead>
        <tbody>
        {Html.Join(comparison.Rows.Select(r => Html.Of($"<tr><td>{Words.Method(r.Method)}</td><td>{(r.Epsilon is { } e ? ComparisonCharts.EpsilonText(e) : Words.Unknown)}</td><td>{(r.Cost is { } to ? Words.Bytes(to.BytesToClient) : Words.Unknown)}</td><td>{(r.Cost is { } from ? Words.Bytes(from.BytesFromClient) : Words.Unknown)}</td><td>{(r.Cost is { } client ? Words.Duration(client.ClientSeconds) : Words.Unknown)}</td><td>{(r.Cost is { } server ? Words.Duration(server.ServerSeconds) : Words.Unknown)}</td><td>{(r.Seconds is { } s ? Words.Duration(s) : Words.Unknown)}</td></tr>")))}
        </tbody></table></div>
        """);

    private static Html Runs(Comparison comparison) => Html.Of($"""
        <details><summary>All {comparison.Cells.Count} runs, and the command that repeats each</summary><div class="scroll"><table>
        <thead><tr><th>run</th><th>accuracy</th><th>gap closed</th><th>command</th></tr></thead>
        <tbody>
        {Html.Join(comparison.Cells.Select(c => Html.Of($"""<tr><td>{Name(c)}</td><td>{Words.Percent(c.Result?.Accuracy?.Method ?? (c.Method == "public" ? c.Result?.Accuracy?.Floor : null), 2)}</td><td>{Words.Percent(comparison.GapOf(c))}</td><td class="hash">{c.Command}</td></tr>""")))}
        </tbody></table></div></details>
        """);

    private static string Shown(SeedMean? mean, Func<double, string> write) => mean is null ? Words.Unknown
        : mean.HalfWidth is { } half ? $"{write(mean.Mean)} ± {write(half).TrimStart('+')}" : write(mean.Mean);

    private static string Number(double? value) => value is { } v ? v.ToString("R", CultureInfo.InvariantCulture) : "";

    private static string Quoted(string text) => text.Length == 0 ? "" : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal).ReplaceLineEndings(" ")}\"";
}
