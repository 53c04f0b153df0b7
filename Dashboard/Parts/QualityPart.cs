using Chorus.Actors.Settings;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>What comes of the run and what it costs: the report's pictures, while it goes on.</summary>
internal static class QualityPart
{
    /// <summary>Null until the downstream model was measured.</summary>
    public static AccuracyResult? AccuracyOf(RunView view)
    {
        if (view.History.State.Downstream is not { } measured)
            return null;
        return new AccuracyResult(Of("floor"), Of(view.Facts.Settings.Method.NameOf()), Of("ceiling"));

        double? Of(string arm) => measured.Arms.FirstOrDefault(a => a.Name == arm)?.TestAccuracy;
    }

    public static Html Accuracy(RunView view) => AccuracyOf(view) is { } accuracy
        ? ReportCharts.Accuracy(accuracy, view.Facts.Settings.Method.NameOf())
        : RoundCharts.Nothing(view.Facts.Plan.Downstream ? "It is measured after the last round." : "This run does not measure it.");

    public static Html Distance(RunView view) => view.Facts.Plan is { WritesTexts: true, Rounds: > 0 } && view.Facts.Settings.Evaluation.Distances
        ? RoundCharts.Distance(
            [.. view.History.State.Rounds.Where(r => r.Evaluated?.Fid is { } f && double.IsFinite(f)).Select(r => (r.Round, r.Evaluated!.Fid!.Value))],
            view.Facts.Rounds)
        : RoundCharts.Nothing("This run does not measure it.");

    public static Html Privacy(RunView view) => RoundCharts.Privacy(
        [.. view.History.State.Rounds.Where(r => r.Release is { } release && double.IsFinite(release.Spend.Epsilon)).Select(r => (r.Round, r.Release!.Spend.Epsilon))],
        view.Budget?.Epsilon ?? (view.Facts.SharedLedger ? 0 : view.Facts.Settings.Privacy.Epsilon),
        view.Facts.Rounds);

    /// <summary>Only where the run computes it, for it is not private.</summary>
    public static Html KeptRight(RunView view) => !view.Facts.Settings.Diagnostics ? Html.Empty : Html.Of($"""
        <div class="card kept"><h3>Pairs the noise left right <span class="tag">not private</span></h3><p>Share of preference pairs that votes without noise would rank alike.</p>{RoundCharts.KeptRight(
            [.. view.History.State.Rounds.Where(r => r.Release?.PairsKeptRight is not null).Select(r => (r.Round, r.Release!.PairsKeptRight!.Value))], view.Facts.Rounds)}</div>
        """);
}
