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
