namespace Chorus.Simulation.Report;

public static partial class HtmlReport
{
    private static Html Rounds(RunResult run)
    {
        if (AsksInNoRounds(run)) return Html.Empty;
        if (run.Rounds.IsDefaultOrEmpty) return Html.Of($"<h2>Rounds</h2><p class=\"nothing\">No round was closed.</p>");
        return Html.Of($"""
            <h2>Rounds</h2>
            <div class="scroll"><table>
            <thead><tr><th>round</th><th>clients counted / sampled</th><th>votes zero / not finite</th><th>candidates</th><th>Fréchet distance</th><th>mean distance</th><th>pairs</th>{(run.Diagnostics ? Html.Of($"""<th>left right <span class="tag">not private</span></th>""") : Html.Empty)}<th>DPO loss</th><th>reward accuracy</th><th>ε so far</th><th>time</th></tr></thead>
            <tbody>
            {Html.Join(run.Rounds.Select(r => Row(r, run.Diagnostics)))}
            </tbody></table></div>
            {LeftOut(run)}
            {Turnouts(run)}
            <details><summary>Where each round's time went</summary><div class="scroll"><table>
            <thead><tr><th>round</th><th>generate</th><th>feedback</th><th>learn</th><th>evaluate</th></tr></thead>
            <tbody>
            {Html.Join(run.Rounds.Select(r => Html.Of($"<tr><td>{r.Round}</td><td>{Words.Duration(r.Seconds.Generate)}</td><td>{Words.Duration(r.Seconds.Feedback)}</td><td>{Words.Duration(r.Seconds.Learn)}</td><td>{Words.Duration(r.Seconds.Evaluate)}</td></tr>")))}
            </tbody></table></div></details>
            <details><summary>Hashes of each round, to compare with a repetition</summary><div class="scroll"><table>
            <thead><tr><th>round</th><th>what</th><th>SHA-256</th></tr></thead>
            <tbody>
            {Html.Join(run.Rounds.SelectMany(r => new[] { Hash(r, "clients counted", r.ClientsSha256), Hash(r, "candidates", r.CandidatesSha256), Hash(r, "released scores", r.ReleaseSha256) }))}
            </tbody></table></div></details>
            """);
    }

    /// <summary>Whom rounds closed without at their deadline: clients of nodes that were slow or lost.</summary>
    private static Html LeftOut(RunResult run)
    {
        var rounds = run.Rounds.Where(r => r.ClientsCounted < r.ClientsSampled).ToArray();
        return rounds.Length == 0 ? Html.Empty : Html.Of($"<p>{Words.Counted(rounds.Length, "round")} closed at the deadline, without {Words.Count(rounds.Sum(r => (long)r.ClientsSampled - r.ClientsCounted))} sampled clients in all; the table says which.</p>");
    }

    private static Html Turnouts(RunResult run) => run.Rounds.All(r => r.Turnout is null) ? Html.Empty : Html.Of($"""
        <details open><summary>Who was asked and who answered, in the simulation's own time</summary><div class="scroll"><table>
        <thead><tr><th>round</th><th>asked</th><th>away</th><th>dropped out</th><th>late</th><th>turned away</th><th>counted</th><th>closed after</th></tr></thead>
        <tbody>
        {Html.Join(run.Rounds.Where(r => r.Turnout is not null).Select(r => (r.Round, T: r.Turnout!)).Select(x => Html.Of($"<tr><td>{x.Round}</td><td>{Words.Count(x.T.Asked)}</td><td>{Words.Count(x.T.Unreachable)}</td><td>{Words.Count(x.T.Dropped)}</td><td>{Words.Count(x.T.Late)}</td><td>{Words.Count(x.T.TurnedAway)}</td><td>{Words.Count(x.T.Counted)}</td><td>{Words.Duration(x.T.Seconds)}</td></tr>")))}
        </tbody></table></div></details>
        """);

    private static Html Row(RoundResult r, bool diagnostics) => Html.Of($"""
        <tr><td>{r.Round}</td><td>{Words.Count(r.ClientsCounted)} / {Words.Count(r.Turnout?.Asked ?? r.ClientsSampled)}</td><td>{Words.Count(r.ZeroVotes)} / {Words.Count(r.NotFiniteVotes)}</td><td>{Words.Count(r.Candidates)}</td><td>{Words.Short(r.Fid)}</td><td>{Words.Short(r.MeanDistance)}</td><td>{Words.Count(r.Pairs)}</td>{(diagnostics ? Html.Of($"<td>{Words.Percent(r.PairsKeptRight)}</td>") : Html.Empty)}<td>{Loss(r.Dpo)}</td><td>{Words.Percent(r.Dpo?.RewardAccuracy)}</td><td>{Words.Short(r.EpsilonSoFar)}</td><td>{Words.Duration(r.Seconds.Generate + r.Seconds.Feedback + r.Seconds.Learn + r.Seconds.Evaluate)}</td></tr>
        """);

    private static string Loss(DpoResult? dpo) => dpo is null ? Words.Unknown : $"{Words.Short(dpo.FirstLoss)} → {Words.Short(dpo.LastLoss)}";

    private static Html Hash(RoundResult r, string what, string sha256) =>
        Html.Of($"""<tr><td>{r.Round}</td><td>{what}</td><td class="hash">{sha256}</td></tr>""");
}
