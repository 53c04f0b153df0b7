using Chorus.Simulation.Report;

namespace Chorus.Benchmarks;

/// <summary>Pairs ordered rightly, for each number of clients and epsilon.</summary>
/// <param name="Right">Shares: the published release, the subspace release, the subspace release with votes centred within prompts.</param>
internal sealed record RankingRow(string Flavour, int Clients, double Epsilon, double NoiseMultiplier, double[] Right);

/// <summary>The ranking benchmark as a page of two pictures for each flavour.</summary>
internal static class RankingPage
{
    private static readonly (string Name, string Ink)[] Releases = [("published", "series-2"), ("subspace", "series"), ("by prompt", "series-3")];

    public static void Write(IReadOnlyList<RankingRow> rows, int clients, double epsilon, string file)
    {
        var page = ReportPage.Of("Releases beside each other · Chorus", Html.Of($"""
            <header>
            <p class="kicker">Chorus benchmark "ranking" · synthesised corpora · 1,500 candidates in prompts of ten · six rounds share the budget</p>
            <h1>The same votes and the same epsilon, released in fewer dimensions, order more pairs rightly</h1>
            <p class="lead">A pair is the best of a prompt against its fifth by released scores; it is right if the published votes without noise order it so. One half is guessing. By prompt: the subspace release of votes that are centred within each prompt. Means over five draws of noise.</p>
            </header>
            <section class="charts">
            {Html.Join(rows.GroupBy(r => r.Flavour).Select(g => Html.Of($"""
                <div class="card"><h3>{g.Key}, by epsilon</h3><p>{clients:N0} clients.</p>{Chart(g.Key, "epsilon", [.. g.Where(r => r.Clients == clients)], r => r.Epsilon)}</div>
                <div class="card"><h3>{g.Key}, by number of clients</h3><p>Epsilon {epsilon}.</p>{Chart(g.Key, "clients", [.. g.Where(r => r.Epsilon == epsilon)], r => r.Clients)}</div>
                """)))}
            </section>
            <h2>Figures</h2>
            <div class="scroll"><table>
            <thead><tr><th>corpus</th><th>clients</th><th>epsilon</th><th>noise multiplier</th>{Html.Join(Releases.Select(r => Html.Of($"<th>{r.Name}</th>")))}</tr></thead>
            <tbody>
            {Html.Join(rows.Select(r => Html.Of($"<tr><td>{r.Flavour}</td><td>{r.Clients:N0}</td><td>{r.Epsilon}</td><td>{r.NoiseMultiplier:0.##}</td>{Html.Join(r.Right.Select(x => Html.Of($"<td>{Words.Percent(x)}</td>")))}</tr>")))}
            </tbody></table></div>
            """));
        RunResultFile.WriteWhole(file, page);
    }

    // Both axes are spaced by doubling: what halves the noise is one step.
    private static Html Chart(string flavour, string axis, RankingRow[] rows, Func<RankingRow, double> at)
    {
        double[] x = [.. rows.Select(r => Math.Log2(at(r)))];
        double room = 0.04 * (x[^1] - x[0]);
        var chart = new SvgChart((x[0] - room, x[^1] + room), (0.45, 1.02), right: 112);
        chart.XTicks(x, t => FormattableString.Invariant($"{Math.Pow(2, t):0.##}"), axis);
        chart.YTicks([0.5, 0.6, 0.7, 0.8, 0.9, 1], y => Words.Percent(y, 0));
        double below = double.PositiveInfinity;
        foreach (int series in Enumerable.Range(0, Releases.Length).OrderByDescending(i => rows.Sum(r => r.Right[i])))
        {
            double[] y = [.. rows.Select(r => r.Right[series])];
            var line = chart.Plot.Add.Scatter(x, y);
            (line.Color, line.LineWidth, line.MarkerSize) = (SvgChart.Ink(Releases[series].Ink), 2, 6);
            below = Math.Min(y[^1], below - 0.05);
            chart.LabelAt(x[^1], below, Releases[series].Name, "start", Releases[series].Ink, dx: 12, dy: 4);
        }

        return chart.ToHtml($"chart-{flavour}-{axis}", $"Share of pairs ordered rightly by {axis}, {flavour}");
    }
}
