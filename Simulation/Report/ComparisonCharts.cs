using ScottPlot;

namespace Chorus.Simulation.Report;

/// <summary>The pictures of a comparison.</summary>
internal static class ComparisonCharts
{
    private const float LabelRoom = 92;
    private const float LineHeight = 13;

    private static readonly MarkerShape[] Shapes =
    [
        MarkerShape.FilledCircle, MarkerShape.FilledSquare, MarkerShape.FilledTriangleUp, MarkerShape.FilledDiamond, MarkerShape.OpenCircle, MarkerShape.OpenSquare,
        MarkerShape.FilledTriangleDown,
    ];

    /// <summary>Mean accuracy of each method by budget, between floor and ceiling. Budgets stand side by side, whatever lies between them.</summary>
    public static Html Accuracy(Comparison comparison)
    {
        double[] epsilons = [.. comparison.Rows.Select(r => r.Epsilon).OfType<double>().Distinct().Order()];
        var rows = comparison.Rows.Where(r => r is { Accuracy: not null, Epsilon: not null }).ToArray();
        if (rows.Length == 0)
            return RoundCharts.Nothing("No accuracy was measured yet.");
        double? floor = Mean(comparison.Floors), ceiling = Mean(comparison.Ceilings);
        // Room for the means and for as much again of the intervals, which two seeds may make of any length.
        double[] means = [.. rows.Select(r => r.Accuracy!.Mean), .. new[] { floor, ceiling }.OfType<double>()];
        double room = Math.Max(0.5 * (means.Max() - means.Min()), 0.002);
        double low = Math.Max(means.Min() - room, rows.Min(r => r.Accuracy!.Low ?? r.Accuracy.Mean)), high = Math.Min(means.Max() + room, rows.Max(r => r.Accuracy!.High ?? r.Accuracy.Mean));
        (low, high) = (Math.Min(low, means.Min()) - (0.1 * room), Math.Max(high, means.Max()) + (0.1 * room));
        var chart = new SvgChart((-0.4, epsilons.Length - 0.6), (low, high), right: LabelRoom, height: 320);
        chart.XTicks([.. Enumerable.Range(0, epsilons.Length).Select(i => (double)i)], x => EpsilonText(epsilons[(int)x]), "epsilon");
        chart.YTicks(SvgChart.RoundTicks(low, high), v => Words.Percent(v));
        var labels = new List<(double Y, string Text, string Ink)>();
        foreach (var (value, name) in new[] { (floor, "floor"), (ceiling, "ceiling") })
        {
            if (value is not { } at)
                continue;
            chart.Dashed([-0.4, epsilons.Length - 0.6], [at, at], "quiet");
            labels.Add((at, name, "tick"));
        }

        string[] methods = [.. rows.Select(r => r.Method).Distinct()];
        for (int m = 0; m < methods.Length; m++)
        {
            var own = rows.Where(r => r.Method == methods[m]).OrderBy(r => r.Epsilon).ToArray();
            double shift = methods.Length == 1 ? 0 : 0.16 * (m / (methods.Length - 1.0) - 0.5); // so that intervals do not cover each other
            double[] x = [.. own.Select(r => Array.IndexOf(epsilons, r.Epsilon!.Value) + shift)], y = [.. own.Select(r => r.Accuracy!.Mean)];
            for (int i = 0; i < own.Length; i++)
            {
                if (own[i].Accuracy!.HalfWidth is { } half)
                    Interval(chart, x[i], Math.Max(y[i] - half, low), x[i], Math.Min(y[i] + half, high), SvgChart.InkOf(m));
            }

            var series = chart.Plot.Add.Scatter(x, y);
            (series.Color, series.LineWidth, series.MarkerSize, series.MarkerShape) = (SvgChart.Ink(SvgChart.InkOf(m)), 2, 7, Shapes[m % Shapes.Length]);
            labels.Add((y[^1], Words.Method(methods[m]), SvgChart.InkOf(m)));
        }

        Place(chart, labels, epsilons.Length - 0.6, (high - low) * LineHeight / 262);
        return chart.ToHtml("chart-accuracy", "Next-token accuracy by epsilon: " + string.Join(", ", rows.Select(r => $"{Words.Method(r.Method)} at {EpsilonText(r.Epsilon!.Value)} {Words.Percent(r.Accuracy!.Mean)}")));
    }

    /// <summary>The share of the gap that each method closes under each budget, with its interval.</summary>
    public static Html Gaps(Comparison comparison)
    {
        var rows = comparison.Rows.Where(r => r.GapClosed is not null).Reverse().ToArray();
        if (rows.Length == 0)
            return RoundCharts.Nothing("No gap is known yet: floor and ceiling come from the runs of public and private.");
        double[] means = [0, 1, .. rows.Select(r => r.GapClosed!.Mean)];
        double[] all = [.. means, .. rows.SelectMany(r => new[] { r.GapClosed!.Low ?? r.GapClosed.Mean, r.GapClosed.High ?? r.GapClosed.Mean })];
        double low = Math.Max(all.Min(), means.Min() - 0.5), high = Math.Min(all.Max(), means.Max() + 0.5); // an interval of two seeds may reach anywhere
        var chart = new SvgChart((low - 0.06, high + 0.06), (-0.7, rows.Length - 0.3), left: 130, height: Math.Max(150, 70 + (22 * rows.Length)));
        chart.XTicks(SvgChart.RoundTicks(low, high), v => Words.Percent(v, 0), "share of the gap closed");
        chart.YTicks([], _ => "");
        string[] methods = [.. comparison.Rows.Select(r => r.Method).Distinct()];
        foreach (double at in new[] { 0.0, 1.0 })
        {
            chart.Dashed([at, at], [-0.7, rows.Length - 0.3], "quiet");
        }

        for (int i = 0; i < rows.Length; i++)
        {
            int m = Array.IndexOf(methods, rows[i].Method);
            var gap = rows[i].GapClosed!;
            if (gap.HalfWidth is not null)
                Interval(chart, Math.Max(gap.Low!.Value, low), i, Math.Min(gap.High!.Value, high), i, SvgChart.InkOf(m));
            var point = chart.Plot.Add.Scatter(new[] { gap.Mean }, new[] { (double)i });
            (point.Color, point.LineWidth, point.MarkerSize, point.MarkerShape) = (SvgChart.Ink(SvgChart.InkOf(m)), 0, 8, Shapes[m % Shapes.Length]);
            chart.LabelLeft(i, rows[i].Epsilon is { } e ? $"{Words.Method(rows[i].Method)}, ε {EpsilonText(e)}" : Words.Method(rows[i].Method));
        }

        return chart.ToHtml("chart-gaps", "Share of the gap closed: " + string.Join(", ", rows.Select(r => $"{Words.Method(r.Method)} {(r.Epsilon is { } e ? $"at {EpsilonText(e)} " : "")}{Words.Percent(r.GapClosed!.Mean, 0)}")));
    }

    public static string EpsilonText(double epsilon) => double.IsPositiveInfinity(epsilon) ? "∞" : Words.Number(epsilon);

    private static void Interval(SvgChart chart, double x1, double y1, double x2, double y2, string ink)
    {
        var line = chart.Plot.Add.Line(x1, y1, x2, y2);
        (line.LineColor, line.LineWidth, line.MarkerSize) = (SvgChart.Ink(ink), 1.5f, 0);
    }

    /// <summary>Writes labels behind the plot, one below another where they would cover each other.</summary>
    private static void Place(SvgChart chart, List<(double Y, string Text, string Ink)> labels, double x, double apart)
    {
        labels.Sort((a, b) => b.Y.CompareTo(a.Y));
        double last = double.PositiveInfinity;
        foreach (var (y, text, ink) in labels)
        {
            last = Math.Min(y, last - apart);
            chart.LabelAt(x, last, text, "start", ink, dx: 8, dy: 4);
        }
    }

    private static double? Mean(IReadOnlyDictionary<ulong, double> values) => values.Count > 0 ? values.Values.Average() : null;
}
