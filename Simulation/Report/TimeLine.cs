using System.Globalization;
using System.Text;

namespace Chorus.Simulation.Report;

/// <summary>Phases on a time line: a lane for each kind of work, time from left to right, a mark where a round begins.</summary>
/// <remarks>
/// Drawn in percent of its width, so that text keeps its size on a phone. Bars of a lane are one path, joined where the gap
/// between them cannot be seen: a thousand rounds are no more bytes than the line is wide.
/// </remarks>
internal static class TimeLine
{
    private const int LaneHeight = 22;
    private const int BarHeight = 14;
    private const int Top = 18;
    private const int Bottom = 20;

    /// <summary>Steps across the line that can be told apart.</summary>
    private const int Columns = 1000;

    /// <summary>Share of the line that a round's number needs, on a phone: rounds nearer to the one before go without.</summary>
    private const double RoomForRound = 0.05;

    private static readonly double[] Steps =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

    /// <param name="Lane">Index of its lane.</param>
    /// <param name="From">Seconds since the line's beginning.</param>
    /// <param name="To">Likewise.</param>
    /// <param name="AtWork">Whether it goes on.</param>
    public sealed record Bar(int Lane, double From, double To, bool AtWork = false);

    /// <param name="id">Distinct on the page.</param>
    /// <param name="title">What it shows, for those who do not see it.</param>
    /// <param name="lanes">Their names, from the top.</param>
    /// <param name="bars">In any order.</param>
    /// <param name="rounds">When each round began, seconds; ascending.</param>
    public static Html Draw(string id, string title, IReadOnlyList<string> lanes, IReadOnlyList<Bar> bars, IReadOnlyList<(int Round, double At)> rounds)
    {
        double length = Math.Max(1, bars.Count == 0 ? 1 : bars.Max(b => b.To));
        int height = Top + lanes.Count * LaneHeight + Bottom;
        var svg = new List<Html> { Html.Of($"""<svg class="timeline" height="{height}" width="100%" role="img" aria-labelledby="{id}-title"><title id="{id}-title">{title}</title>""") };
        foreach (double tick in Ticks(length))
        {
            svg.Add(Html.Of($"""<line class="stroke-grid" x1="{Percent(tick, length)}" x2="{Percent(tick, length)}" y1="{Top}" y2="{height - Bottom}"/>"""));
            svg.Add(Html.Of($"""<text class="tick" x="{Percent(tick, length)}" y="{height - 5}" text-anchor="{(tick == 0 ? "start" : "middle")}">{Time(tick)}</text>"""));
        }

        double last = double.NegativeInfinity;
        foreach (var (round, at) in rounds)
        {
            if (at - last < RoomForRound * length)
                continue;
            last = at;
            svg.Add(Html.Of($"""<line class="stroke-round" x1="{Percent(at, length)}" x2="{Percent(at, length)}" y1="{Top - 4}" y2="{height - Bottom}"/>"""));
            svg.Add(Html.Of($"""<text class="tick" x="{Percent(at, length)}" y="{Top - 6}" dx="2">{round}</text>"""));
        }

        for (int lane = 0; lane < lanes.Count; lane++)
        {
            int y = Top + lane * LaneHeight + (LaneHeight - BarHeight) / 2;
            var own = bars.Where(b => b.Lane == lane && b.To > b.From).OrderBy(b => b.From).ToArray();
            svg.Add(Html.Of($"""<svg y="{y}" width="100%" height="{BarHeight}" viewBox="0 0 {Columns} {BarHeight}" preserveAspectRatio="none"><path class="lane lane-{lane}" d="{Path(own.Where(b => !b.AtWork), length)}"/><path class="lane lane-{lane} at-work" d="{Path(own.Where(b => b.AtWork), length)}"/></svg>"""));
        }

        svg.Add(Html.Of($"""<line class="stroke-axis" x1="0" x2="100%" y1="{height - Bottom}" y2="{height - Bottom}"/></svg>"""));
        Html names = Html.Join(lanes.Select((name, i) => Html.Of($"""<span class="lane-name lane-name-{i}">{name}</span>""")));
        return Html.Of($"""<div class="timeline-frame"><div class="lane-names" aria-hidden="true">{names}</div><div class="lane-bars">{Html.Join(svg, "")}</div></div>""");
    }

    /// <summary>At most eight round times that lie within.</summary>
    internal static IEnumerable<double> Ticks(double length)
    {
        double step = Steps.FirstOrDefault(s => length / s <= 8, Math.Ceiling(length / 8));
        for (int k = 0; k * step <= length * 0.97; k++) yield return k * step;
    }

    /// <summary>A time since the beginning, in its two largest units.</summary>
    internal static string Time(double seconds)
    {
        long s = (long)Math.Round(seconds);
        return s switch
        {
            < 60 => $"{s} s",
            < 3600 => s % 60 == 0 ? $"{s / 60} min" : $"{s / 60}:{s % 60:00} min",
            < 86_400 => s % 3600 == 0 ? $"{s / 3600} h" : $"{s / 3600}:{s % 3600 / 60:00} h",
            _ => s % 86_400 == 0 ? $"{s / 86_400} d" : $"{s / 86_400} d {s % 86_400 / 3600} h",
        };
    }

    private static string Path(IEnumerable<Bar> bars, double length)
    {
        var path = new StringBuilder();
        double from = -1, to = -1;
        foreach (Bar bar in bars)
        {
            double x = Math.Round(bar.From / length * Columns, 1), end = Math.Max(x + 0.6, Math.Round(bar.To / length * Columns, 1));
            if (x - to > 0.4)
            {
                Close();
                from = x;
            }

            to = Math.Max(to, end);
        }

        Close();
        return path.ToString();

        void Close()
        {
            if (from >= 0) path.Append(CultureInfo.InvariantCulture, $"M{from:0.#} 0H{to:0.#}V{BarHeight}H{from:0.#}Z");
        }
    }

    private static string Percent(double at, double length) => (100 * at / length).ToString("0.##", CultureInfo.InvariantCulture) + "%";
}
