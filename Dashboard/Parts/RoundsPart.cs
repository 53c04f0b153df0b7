using Chorus.Actors.Runs;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>Every round's figures, the newest first.</summary>
internal static class RoundsPart
{
    /// <summary>The report has them all.</summary>
    private const int Most = 100;

    public static Html Draw(RunView view)
    {
        if (view.History.State.Rounds is [])
            return Html.Of($"""<p class="nothing">No round has begun.</p>""");
        return Html.Of($"""
            <table>
            <thead><tr><th scope="col">round</th><th scope="col">clients</th><th scope="col">Fréchet distance</th><th scope="col">ε so far</th><th scope="col">DPO loss</th><th scope="col">reward accuracy</th><th scope="col">write</th><th scope="col">vote</th><th scope="col">learn</th><th scope="col">measure</th><th scope="col">release</th></tr></thead>
            <tbody>
            {Html.Join(view.History.State.Rounds.Reverse().Take(Most).Select(Row))}
            </tbody></table>
            """);
    }

    private static Html Row(RoundState r) => Html.Of($"""
        <tr><th scope="row">{r.Round}</th><td>{(r.Release is { } release ? release.ClientsCounted == release.ClientsSampled ? Words.Count(release.ClientsCounted) : $"{Words.Count(release.ClientsCounted)} / {Words.Count(release.ClientsSampled)}" : Words.Unknown)}</td><td>{Words.Short(r.Evaluated?.Fid)}</td><td>{Words.Short(r.Release?.Spend.Epsilon)}</td><td>{(r.Policy is { } p ? $"{Words.Short(p.FirstLoss)} → {Words.Short(p.LastLoss)}" : Words.Unknown)}</td><td>{Words.Percent(r.Policy?.RewardAccuracy, 0)}</td><td>{Took(r.Candidates?.GenerateSeconds)}</td><td>{Took(r.Release?.FeedbackSeconds)}</td><td>{Took(r.Policy?.LearnSeconds)}</td><td>{Took(r.Evaluated?.EvaluateSeconds)}</td><td class="hash">{r.Release?.Sha256[..Math.Min(12, r.Release.Sha256.Length)] ?? Words.Unknown}</td></tr>
        """);

    private static string Took(double? seconds) => seconds is { } s ? Words.Duration(s) : Words.Unknown;
}
