using Chorus.Simulation.Federation;
using ScottPlot;

namespace Chorus.Simulation.Report;

/// <summary>The report's charts. Each gives a chart for one point too, and words where there is none.</summary>
internal static class ReportCharts
{
    /// <summary>The way from floor to ceiling, and how far along it the method came.</summary>
    public static Html Accuracy(AccuracyResult accuracy, string method)
    {
        (string Name, double? Value)[] all = [("private (ceiling)", accuracy.Ceiling), (Words.Method(method), accuracy.Method), ("public (floor)", accuracy.Floor)];
        var known = all.Where(b => b.Value is { } v && double.IsFinite(v)).Select(b => (b.Name, Value: b.Value!.Value)).ToArray();
        if (known.Length == 0) return Nothing("No accuracy was measured.");

        // Where things stand is told by place, not by length, so the axis need not begin at nought: what matters is the gap.
        double low = known.Min(k => k.Value), high = known.Max(k => k.Value), room = high > low ? 0.25 * (high - low) : 0.05;
        var chart = new SvgChart((low - room, high + room), (-1, 1), left: 18);
        double[] ticks = SvgChart.RoundTicks(low - room, high + room);
        int digits = ticks.Length > 1 && ticks[1] - ticks[0] < 0.01 ? 1 : 0;
        chart.XTicks(ticks, t => Words.Percent(t, digits), "next-token accuracy on held-out clients");
        chart.YTicks([], _ => "");
        if (accuracy is { Floor: { } from, Ceiling: { } to }) Way(chart, from, to, "quiet", 9);
        if (accuracy is { Floor: { } start, Method: { } end }) Way(chart, start, end, "series", 9);
        foreach (var (name, value) in known)
        {
            bool own = name == Words.Method(method);
            chart.Plot.Add.Marker(value, 0, MarkerShape.FilledCircle, own ? 17 : 13, SvgChart.Ink(own ? "series" : "quiet"));
            // The method's words stand above, the ends' below: they may lie close to each other.
            chart.LabelAt(value, 0, name, "middle", own ? "mark" : "tick", dy: own ? -38 : 28);
            chart.LabelAt(value, 0, Words.Percent(value), "middle", "value", dy: own ? -22 : 44);
        }

        if (RunResult.ShareOfGap(accuracy) is { } share) chart.LabelAt((low + high) / 2, 1, $"{Words.Percent(share, 0)} of the gap is closed", "middle", "value", dy: 16);
        return chart.ToHtml("chart-accuracy", "Next-token accuracy: " + string.Join(", ", known.Select(b => $"{b.Name} {Words.Percent(b.Value)}")));
    }

    private static void Way(SvgChart chart, double from, double to, string ink, float width)
    {
        var line = chart.Plot.Add.Line(from, 0, to, 0);
        (line.LineColor, line.LineWidth, line.MarkerSize) = (SvgChart.Ink(ink), width, 0);
    }

    public static Html Distance(RunResult run) => RoundCharts.Distance(
        [.. run.Rounds.Where(r => r.Fid is { } f && double.IsFinite(f)).Select(r => (r.Round, r.Fid!.Value))]);

    public static Html KeptRight(RunResult run) => RoundCharts.KeptRight(
        [.. run.Rounds.Where(r => r.PairsKeptRight is not null).Select(r => (r.Round, r.PairsKeptRight!.Value))]);

    public static Html Privacy(RunResult run) => RoundCharts.Privacy(
        [.. run.Rounds.Where(r => double.IsFinite(r.EpsilonSoFar)).Select(r => (r.Round, r.EpsilonSoFar))], run.Privacy.Budget);

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
        chart.XTicks(RoundCharts.Ticks(first, last), r => Words.Count((long)r), "round");
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

    private static Html Nothing(string why) => RoundCharts.Nothing(why);
}
