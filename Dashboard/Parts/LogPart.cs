using System.Globalization;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>What was notable, the newest first.</summary>
internal static class LogPart
{
    private const int Most = 60;

    public static Html Draw(RunView view) => Html.Of($"""<ol>{Html.Join(view.Log.Take(Most).Select(Line))}</ol>""");

    private static Html Line(Happening h)
    {
        var at = h.At.ToLocalTime();
        return Html.Of($"""<li class="{h.Kind.ToString().ToLowerInvariant()}"><time datetime="{h.At.UtcDateTime.ToString("O", CultureInfo.InvariantCulture)}">{at.ToString("HH:mm:ss", CultureInfo.InvariantCulture)}</time><span class="kind" aria-hidden="true"></span><span>{h.Text}</span></li>""");
    }
}
