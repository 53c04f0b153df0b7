using System.Globalization;

namespace Chorus.Simulation.Report;

/// <summary>A bar whose parts are shares of a whole, with their names below it.</summary>
internal static class ShareBar
{
    /// <param name="id">Distinct on the page.</param>
    /// <param name="title">What it shows, for those who do not see it.</param>
    /// <param name="parts">Name, share in [0, 1], and the number of its colour in the style sheet.</param>
    public static Html Draw(string id, string title, IReadOnlyList<(string Name, double Share, int Colour)> parts)
    {
        double at = 0;
        var bars = new List<Html>();
        foreach (var (_, share, colour) in parts)
        {
            double width = Math.Clamp(share, 0, 1 - at);
            bars.Add(Html.Of($"""<rect class="lane lane-{colour}" x="{Percent(at)}" width="{Percent(width)}" height="12"/>"""));
            at += width;
        }

        Html names = Html.Join(parts.Select(p => Html.Of($"""<li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="lane lane-{p.Colour}" width="10" height="10"/></svg>{p.Name} {Words.Percent(p.Share, 0)}</li>""")));
        return Html.Of($"""<svg class="share" height="12" width="100%" role="img" aria-labelledby="{id}-title"><title id="{id}-title">{title}</title><rect class="share-rest" width="100%" height="12"/>{Html.Join(bars, "")}</svg><ul class="legend">{names}</ul>""");
    }

    private static string Percent(double share) => (100 * share).ToString("0.#", CultureInfo.InvariantCulture) + "%";
}
