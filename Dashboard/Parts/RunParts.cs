using System.Text.Json;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>A view of a run as the parts of its page.</summary>
internal static class RunParts
{
    /// <param name="view">What is to be shown.</param>
    /// <param name="before">What is shown; null: nothing. Pictures whose figures have not changed are not drawn again.</param>
    /// <param name="controllable">Whether this process can pause and stop the run.</param>
    /// <returns>The parts that may have changed.</returns>
    public static IEnumerable<(string Id, string Markup)> Of(RunView view, RunView? before, bool controllable)
    {
        ArgumentNullException.ThrowIfNull(view);
        var history = before is null || !ReferenceEquals(view.History, before.History);
        yield return ("state", JsonSerializer.Serialize(new { status = view.Status.ToString().ToLowerInvariant(), live = view.Live, control = controllable && view is { Live: true, Ended: null }, title = NowPart.Title(view) }));
        yield return ("say", Html.Of($"{view.Log.FirstOrDefault()?.Text}").Markup);
        yield return ("head", HeadPart.Head(view).Markup);
        if (before is null)
        {
            yield return ("banner", HeadPart.Banners(view).Markup);
            yield return ("foot", HeadPart.Foot(view).Markup);
        }

        yield return ("now", NowPart.Draw(view).Markup);
        yield return ("tiles", TilesPart.Draw(view).Markup);
        yield return ("timeline", TimePart.Draw(view).Markup);
        if (history)
        {
            yield return ("accuracy", QualityPart.Accuracy(view).Markup);
            yield return ("distance", QualityPart.Distance(view).Markup);
            yield return ("kept", QualityPart.KeptRight(view).Markup);
            yield return ("votes-by-round", ClusterPart.VotesByRound(view).Markup);
            yield return ("rounds", RoundsPart.Draw(view).Markup);
        }

        if (history || view.Budget != before!.Budget)
            yield return ("epsilon", QualityPart.Privacy(view).Markup);
        yield return ("votes", ClusterPart.Votes(view).Markup);
        yield return ("cluster", ClusterPart.Picture(view).Markup);
        yield return ("nodes", ClusterPart.Table(view).Markup);
        yield return ("devices", DevicesPart.Draw(view).Markup);
        if (before is null || view.Texts != before.Texts)
            yield return ("texts", TextsPart.Draw(view.Texts).Markup);
        yield return ("log", LogPart.Draw(view).Markup);
    }
}
