using MathNet.Numerics.Distributions;
using ScottPlot;

namespace Chorus.Simulation.Report;

/// <summary>The pictures of an audit.</summary>
internal static class AuditCharts
{
    private const int CurvePoints = 200;

    /// <summary>Bars of the two bounds and the claim as a line.</summary>
    public static Html Bounds(AuditResult audit)
    {
        (string Name, double Value, string Ink)[] bars =
            [("if Gaussian", audit.Findings.Gaussian.Epsilon, "quiet"), ("any mechanism", audit.Findings.EpsilonLower, "series")];
        double most = Math.Max(Math.Max(bars.Max(b => b.Value), audit.ClaimedEpsilon) * 1.25, 0.1);
        var chart = new SvgChart((0, most), (-0.6, bars.Length - 0.1), left: 110);
        chart.XTicks(SvgChart.RoundTicks(0, most), t => Words.Short(t), "epsilon");
        chart.YTicks([], _ => "");
        for (int i = 0; i < bars.Length; i++)
        {
            chart.Plot.Add.Bar(new Bar { Position = i, Value = bars[i].Value, Size = 0.55, FillColor = SvgChart.Ink(bars[i].Ink), LineWidth = 0, Orientation = Orientation.Horizontal });
            chart.LabelLeft(i, bars[i].Name);
            chart.LabelAt(0, i - 0.28, $"at least {Words.Short(bars[i].Value)}", "start", "value", dx: 4, dy: 14);
        }

        Line(chart, "limit", [audit.ClaimedEpsilon, audit.ClaimedEpsilon], [-0.6, bars.Length - 0.1]);
        chart.LabelAt(audit.ClaimedEpsilon, bars.Length - 0.1, $"claim {Words.Short(audit.ClaimedEpsilon)}", audit.ClaimedEpsilon > most / 2 ? "end" : "start", "limit", dx: audit.ClaimedEpsilon > most / 2 ? -6 : 6, dy: 12);
        return chart.ToHtml("chart-bounds", $"Lower bounds {string.Join(", ", bars.Select(b => $"{b.Name} {Words.Short(b.Value)}"))} beside the claim {Words.Short(audit.ClaimedEpsilon)}");
    }

    /// <summary>Both histograms as outlines.</summary>
    public static Html Scores(ScoreHistogram histogram)
    {
        double[] x = [.. Enumerable.Range(0, histogram.In.Length).Select(i => histogram.Low + (i + 0.5) * histogram.Width)];
        double most = 1.15 * Math.Max(1, Math.Max(histogram.In.Max(), histogram.Out.Max()));
        var chart = new SvgChart((histogram.Low, histogram.Low + histogram.In.Length * histogram.Width), (0, most));
        chart.XTicks(SvgChart.RoundTicks(x[0], x[^1]), t => Words.Short(t), "score");
        chart.YTicks(SvgChart.RoundTicks(0, most), t => Words.Count((long)t));
        Line(chart, "quiet", x, [.. histogram.Out.Select(n => (double)n)]);
        Line(chart, "series", x, [.. histogram.In.Select(n => (double)n)]);
        // Each name on the outer side of its own curve, where the other is low.
        chart.LabelAt(x[0], most, "out", "start", "tick", dx: 8, dy: 14);
        chart.LabelAt(x[^1], most, "in", "end", "value", dx: -8, dy: 14);
        return chart.ToHtml("chart-scores", "Histogram of the scores of canaries that were in and of canaries that were out");
    }

    /// <summary>What was measured, and the most that the claim allows.</summary>
    public static Html Roc(AuditResult audit)
    {
        var chart = new SvgChart((0, 1), (0, 1.02));
        chart.XTicks([0, 0.25, 0.5, 0.75, 1], t => Words.Percent(t, 0), "false alarms");
        chart.YTicks([0, 0.25, 0.5, 0.75, 1], t => Words.Percent(t, 0));
        double e = Math.Exp(audit.ClaimedEpsilon), delta = audit.Findings.Delta, mu = 1 / audit.NoiseMultiplier;
        // Quadratic spacing: the curves are steep at the left.
        double[] x = [.. Enumerable.Range(0, CurvePoints + 1).Select(i => (double)i * i / CurvePoints / CurvePoints)];
        Line(chart, "quiet", [0, 1], [0, 1]);
        Line(chart, "quiet", x, [.. x.Select(f => Math.Min(1, Math.Min(delta + e * f, 1 - (1 - delta - f) / e)))]);
        Line(chart, "series", [.. audit.Roc.Select(p => p.FalseAlarms)], [.. audit.Roc.Select(p => p.Hits)]);
        // Dashed and on top: where the audit is strong the two are one line.
        chart.Dashed(x, [.. x.Select(f => f is 0 or 1 ? f : Normal.CDF(0, 1, Normal.InvCDF(0, 1, f) + mu))], "limit", 2);
        chart.LabelAt(0.98, 0.34, "claimed, as a Gaussian (dashed)", "end", "limit");
        chart.LabelAt(0.98, 0.24, "measured", "end", "value");
        chart.LabelAt(0.98, 0.14, "claimed by (ε, δ) alone; blind guessing", "end", "tick");
        return chart.ToHtml("chart-roc", "Hits against false alarms: measured, and the most that the claim allows");
    }

    private static void Line(SvgChart chart, string ink, double[] x, double[] y)
    {
        var line = chart.Plot.Add.Scatter(x, y);
        (line.Color, line.LineWidth, line.MarkerSize) = (SvgChart.Ink(ink), 2, 0);
    }
}
