using Chorus.Simulation.Federation;
using ScottPlot;

namespace Chorus.Simulation.Report;

/// <summary>The report's charts. Each gives a chart for one point too, and words where there is none.</summary>
internal static class ReportCharts
{
    /// <summary>Horizontal bars of the accuracies known, from zero.</summary>
    public static Html Accuracy(AccuracyResult accuracy, string method)
    {
        (string Name, double? Value, string Ink)[] all =
            [("private (ceiling)", accuracy.Ceiling, "quiet"), (Words.Method(method), accuracy.Method, "series"), ("public (floor)", accuracy.Floor, "quiet")];
        var bars = all.Where(b => b.Value is { } v && double.IsFinite(v)).Select((b, i) => (b.Name, Value: b.Value!.Value, b.Ink, At: (double)i)).ToArray();
        if (bars.Length == 0) return Nothing("No accuracy was measured.");

        // The value stands behind its bar, so the axis reaches beyond the longest one.
        double most = Math.Max(bars.Max(b => b.Value) * 1.18, 0.01);
        var chart = new SvgChart((0, most), (-0.6, bars.Length - 0.4), left: 126);
        chart.XTicks(SvgChart.RoundTicks(0, most), t => Words.Percent(t, 0), "next-token accuracy on held-out clients");
        chart.YTicks([], _ => "");
        foreach (var bar in bars)
        {
            chart.Plot.Add.Bar(new Bar { Position = bar.At, Value = bar.Value, Size = 0.62, FillColor = SvgChart.Ink(bar.Ink), LineWidth = 0, Orientation = Orientation.Horizontal });
            chart.LabelLeft(bar.At, bar.Name);
            chart.LabelAt(bar.Value, bar.At, Words.Percent(bar.Value), "start", "value", dx: 6, dy: 4);
        }
        return chart.ToHtml("chart-accuracy", "Next-token accuracy: " + string.Join(", ", bars.Select(b => $"{b.Name} {Words.Percent(b.Value)}")));
    }

    public static Html Distance(RunResult run) => Line("chart-fid", "Fréchet distance to held-out texts by round",
        [.. run.Rounds.Where(r => r.Fid is { } f && double.IsFinite(f)).Select(r => (r.Round, r.Fid!.Value))], v => Words.Short(v), fromZero: false, limit: null);

    public static Html KeptRight(RunResult run) => Line("chart-kept", "Share of preference pairs that the noise left right, by round",
        [.. run.Rounds.Where(r => r.PairsKeptRight is not null).Select(r => (r.Round, r.PairsKeptRight!.Value))], v => Words.Percent(v, 0), fromZero: true, limit: (0.5, "chance"), top: 1);

    public static Html Privacy(RunResult run) => Line("chart-epsilon", "Epsilon spent by round against the budget",
        [.. run.Rounds.Where(r => double.IsFinite(r.EpsilonSoFar)).Select(r => (r.Round, r.EpsilonSoFar))], v => Words.Short(v), fromZero: true,
        limit: double.IsFinite(run.Privacy.Budget) && run.Privacy.Budget > 0 ? (run.Privacy.Budget, $"budget {Words.Number(run.Privacy.Budget)}") : null);

    /// <summary>Stacked bars by round: counted, came too late, never came.</summary>
    public static Html Turnout(RunResult run)
    {
        (int Round, Turnout T)[] rounds = [.. run.Rounds.Where(r => r.Turnout is not null).Select(r => (r.Round, r.Turnout!))];
        if (rounds.Length == 0) return Nothing("In this run all clients that were asked answered.");
        (string Name, string Ink, Func<Turnout, int> Of)[] parts =
            [("counted", "series", t => t.Counted), ("late or turned away", "limit", t => t.Late + t.TurnedAway), ("away or dropped out", "quiet", t => t.Unreachable + t.Dropped)];
        int first = rounds.Min(r => r.Round), last = rounds.Max(r => r.Round);
        double most = Math.Max(1, rounds.Max(r => r.T.Asked)) * 1.18;   // room for the names above
        var chart = new SvgChart((first - 0.6, last + 0.6), (0, most));
        chart.XTicks(RoundTicks(first, last), r => Words.Count((long)r), "round");
        chart.YTicks(SvgChart.RoundTicks(0, most), t => Words.Count((long)t));
        foreach ((int round, Turnout t) in rounds)
        {
            double from = 0;
            foreach ((_, string ink, Func<Turnout, int> of) in parts)
            {
                chart.Plot.Add.Bar(new Bar { Position = round, ValueBase = from, Value = from + of(t), Size = 0.7, FillColor = SvgChart.Ink(ink), LineWidth = 0 });
                from += of(t);
            }
        }

        for (int i = 0; i < parts.Length; i++)
            chart.LabelAt(first - 0.6 + ((last - first + 1.2) * (0.02 + (0.24 * i) + (i == 2 ? 0.16 : 0))), most, parts[i].Name, "start", parts[i].Ink == "limit" ? "limit" : parts[i].Ink == "series" ? "mark" : "tick", dy: 12);
        int asked = rounds.Sum(r => r.T.Asked);
        return chart.ToHtml("chart-turnout", "Clients asked, over all rounds: " + string.Join(", ", parts.Select(p => $"{p.Name} {Words.Percent((double)rounds.Sum(r => p.Of(r.T)) / Math.Max(1, asked))}")));
    }

    private static Html Line(
        string id, string title, (int Round, double Value)[] points, Func<double, string> write, bool fromZero, (double At, string Name)? limit, double? top = null)
    {
        if (points.Length == 0) return Nothing("There is nothing to draw: no round has this figure.");
        double low = points.Min(p => p.Value), high = Math.Max(points.Max(p => p.Value), limit?.At ?? double.NegativeInfinity);
        if (fromZero) low = Math.Min(0, low);
        // One point, or all of one height, still needs an axis of some length.
        double room = high > low ? 0.12 * (high - low) : Math.Max(Math.Abs(high) * 0.1, 0.1);
        (double Min, double Max) y = (fromZero && low >= 0 ? 0 : low - room, top ?? high + room);
        int first = points.Min(p => p.Round), last = points.Max(p => p.Round);
        var chart = new SvgChart((first - 0.5, last + 0.5), y);
        chart.XTicks(RoundTicks(first, last), r => Words.Count((long)r), "round");
        chart.YTicks(SvgChart.RoundTicks(y.Min, y.Max), write);
        if (limit is { } line)
        {
            var drawn = chart.Plot.Add.Line(first - 0.5, line.At, last + 0.5, line.At);
            (drawn.LineColor, drawn.LineWidth, drawn.MarkerSize) = (SvgChart.Ink("limit"), 2, 0);
            chart.LabelAt(first - 0.5, line.At, line.Name, "start", "limit", dx: 4, dy: -6); // the last point, which is labelled too, lies at the other end
        }
        var series = chart.Plot.Add.Scatter(points.Select(p => (double)p.Round).ToArray(), points.Select(p => p.Value).ToArray());
        (series.Color, series.LineWidth, series.MarkerSize) = (SvgChart.Ink("series"), 2, points.Length > 60 ? 0 : 7);
        (int Round, double Value) end = points[^1];
        chart.LabelAt(end.Round, end.Value, write(end.Value), points.Length == 1 ? "middle" : "end", "value", dx: points.Length == 1 ? 0 : 6, dy: -10);
        return chart.ToHtml(id, $"{title}: {write(points[0].Value)} at round {points[0].Round}, {write(end.Value)} at round {end.Round}");
    }

    /// <summary>Whole rounds, every one where there are few.</summary>
    private static double[] RoundTicks(int first, int last)
    {
        int step = 1;
        for (int k = 0; (last - first) / step > 10; k++) step = (k % 3) switch { 0 => step * 2, 1 => step * 5 / 2, _ => step * 2 };
        return [.. Enumerable.Range(first, last - first + 1).Where(r => step == 1 || r % step == 0).Select(r => (double)r)];
    }

    private static Html Nothing(string why) => Html.Of($"""<p class="nothing">{why}</p>""");
}
