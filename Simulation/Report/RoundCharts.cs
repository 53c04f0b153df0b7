namespace Chorus.Simulation.Report;

/// <summary>Charts over the rounds of a run, for its report and for the page that shows it while it goes on. Words where there is no point.</summary>
internal static class RoundCharts
{
    /// <param name="lastPlanned">The run's last round, to which the axis reaches; 0: as far as there are points.</param>
    public static Html Distance(IReadOnlyList<(int Round, double Value)> points, int lastPlanned = 0) =>
        Line("chart-fid", "Fréchet distance to held-out texts by round", points, v => Words.Short(v), fromZero: false, limit: null, lastPlanned: lastPlanned);

    /// <inheritdoc cref="Distance"/>
    public static Html KeptRight(IReadOnlyList<(int Round, double Value)> points, int lastPlanned = 0) =>
        Line("chart-kept", "Share of preference pairs that the noise left right, by round", points, v => Words.Percent(v, 0), fromZero: true, limit: (0.5, "chance"), top: 1, lastPlanned: lastPlanned);

    /// <inheritdoc cref="Distance"/>
    public static Html Privacy(IReadOnlyList<(int Round, double Value)> points, double budget, int lastPlanned = 0) =>
        Line("chart-epsilon", "Epsilon spent by round against the budget", points, v => Words.Short(v), fromZero: true,
            limit: double.IsFinite(budget) && budget > 0 ? (budget, $"budget {Words.Number(budget)}") : null, lastPlanned: lastPlanned);

    /// <inheritdoc cref="Distance"/>
    public static Html Votes(IReadOnlyList<(int Round, double Value)> points, int lastPlanned = 0) =>
        Line("chart-votes", "Votes a second by round", points, v => Words.Count((long)Math.Round(v)), fromZero: true, limit: null, lastPlanned: lastPlanned);

    private static Html Line(
        string id, string title, IReadOnlyList<(int Round, double Value)> points, Func<double, string> write, bool fromZero, (double At, string Name)? limit, double? top = null, int lastPlanned = 0)
    {
        if (points.Count == 0) return Nothing("There is nothing to draw: no round has this figure.");
        double low = points.Min(p => p.Value), high = Math.Max(points.Max(p => p.Value), limit?.At ?? double.NegativeInfinity);
        if (fromZero) low = Math.Min(0, low);
        // One point, or all of one height, still needs an axis of some length.
        double room = high > low ? 0.12 * (high - low) : Math.Max(Math.Abs(high) * 0.1, 0.1);
        (double Min, double Max) y = (fromZero && low >= 0 ? 0 : low - room, top ?? high + room);
        int first = points.Min(p => p.Round), last = Math.Max(points.Max(p => p.Round), lastPlanned);
        var chart = new SvgChart((first - 0.5, last + 0.5), y);
        chart.XTicks(Ticks(first, last), r => Words.Count((long)r), "round");
        chart.YTicks(SvgChart.RoundTicks(y.Min, y.Max), write);
        if (limit is { } line)
        {
            var drawn = chart.Plot.Add.Line(first - 0.5, line.At, last + 0.5, line.At);
            (drawn.LineColor, drawn.LineWidth, drawn.MarkerSize) = (SvgChart.Ink("limit"), 2, 0);
            chart.LabelAt(first - 0.5, line.At, line.Name, "start", "limit", dx: 4, dy: -6); // the last point, which is labelled too, lies at the other end
        }
        var series = chart.Plot.Add.Scatter(points.Select(p => (double)p.Round).ToArray(), points.Select(p => p.Value).ToArray());
        (series.Color, series.LineWidth, series.MarkerSize) = (SvgChart.Ink("series"), 2, points.Count > 60 ? 0 : 7);
        (int Round, double Value) end = points[^1];
        if (end.Round < last)
            chart.LabelAt(end.Round, end.Value, write(end.Value), "start", "value", dx: 9, dy: 4); // no line goes on there yet
        else
            chart.LabelAt(end.Round, end.Value, write(end.Value), points.Count == 1 ? "middle" : "end", "value", dx: points.Count == 1 ? 0 : 6, dy: -10);
        return chart.ToHtml(id, $"{title}: {write(points[0].Value)} at round {points[0].Round}, {write(end.Value)} at round {end.Round}");
    }

    /// <summary>Whole rounds, every one where there are few.</summary>
    public static double[] Ticks(int first, int last)
    {
        int step = 1;
        for (int k = 0; (last - first) / step > 10; k++) step = (k % 3) switch { 0 => step * 2, 1 => step * 5 / 2, _ => step * 2 };
        return [.. Enumerable.Range(first, last - first + 1).Where(r => step == 1 || r % step == 0).Select(r => (double)r)];
    }

    public static Html Nothing(string why) => Html.Of($"""<p class="nothing">{why}</p>""");
}
