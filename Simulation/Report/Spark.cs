using System.Globalization;
using System.Text;

namespace Chorus.Simulation.Report;

/// <summary>A small line without axes: how a figure went over the last while. It is as wide as its place.</summary>
internal static class Spark
{
    private const int Height = 40;

    /// <param name="id">Distinct on the page.</param>
    /// <param name="title">What it shows, for those who do not see it.</param>
    /// <param name="values">Evenly spaced in time, the newest last.</param>
    /// <param name="length">How many values the whole width is; fewer stand at the right.</param>
    public static Html Draw(string id, string title, IReadOnlyList<double> values, int length)
    {
        double most = values.DefaultIfEmpty(0).Max() is > 0 and var max ? max : 1;
        var line = new StringBuilder();
        for (int i = 0; i < values.Count; i++)
        {
            double y = double.IsFinite(values[i]) ? Height - 2 - values[i] / most * (Height - 4) : Height - 2;
            line.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? 'M' : 'L')}{length - values.Count + i} {y:0.#}");
        }

        string area = values.Count > 1 ? $"{line}V{Height}H{length - values.Count}Z" : "";
        return Html.Of($"""<svg class="spark" viewBox="0 0 {Math.Max(1, length - 1)} {Height}" preserveAspectRatio="none" role="img" aria-labelledby="{id}-title"><title id="{id}-title">{title}</title><path class="spark-area" d="{area}"/><path class="spark-line" d="{line.ToString()}"/></svg>""");
    }
}
