using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Report;

public static partial class HtmlReport
{
    private static Html Texts(RunResult run)
    {
        if (run.Texts is not { } texts) return Html.Empty;
        (TextSetMeasures synthetic, TextSetMeasures heldOut) = (texts.Synthetic, texts.HeldOut);
        return Html.Of($"""
            <h2>What the synthetic texts are like</h2>
            <p>Held-out texts are those of other clients: what real texts score. Variety is of {Words.Count(synthetic.Compared)} texts of each; a text copies where it shares a run of {texts.CopiedWords} words or more.</p>
            <div class="scroll"><table>
            <thead><tr><th></th><th>synthetic</th><th>held-out</th></tr></thead>
            <tbody>
            <tr><td>likeness to the held-out texts (MAUVE, at most 1)</td><td>{Words.Short(texts.Mauve)}</td><td>{Words.Unknown}</td></tr>
            <tr><td>different words, of all words</td><td>{Words.Percent(synthetic.Distinct1)}</td><td>{Words.Percent(heldOut.Distinct1)}</td></tr>
            <tr><td>different pairs of words</td><td>{Words.Percent(synthetic.Distinct2)}</td><td>{Words.Percent(heldOut.Distinct2)}</td></tr>
            <tr><td>different runs of three words</td><td>{Words.Percent(synthetic.Distinct3)}</td><td>{Words.Percent(heldOut.Distinct3)}</td></tr>
            {Copies(Html.Of($"public"), synthetic.PublicCopies, heldOut.PublicCopies)}
            {Copies(Html.Of($"""private <span class="tag">not private</span>"""), synthetic.PrivateCopies, heldOut.PrivateCopies)}
            </tbody></table></div>
            """);
    }

    private static Html Copies(Html of, CopyShare? synthetic, CopyShare? heldOut) => synthetic is null || heldOut is null ? Html.Empty : Html.Of($"""
        <tr><td>texts that copy a {of} text</td><td>{Words.Percent(synthetic.Share)}</td><td>{Words.Percent(heldOut.Share)}</td></tr>
        <tr><td>longest run shared with a {of} text: median, most</td><td>{synthetic.MedianRun}, {synthetic.LongestRun} words</td><td>{heldOut.MedianRun}, {heldOut.LongestRun} words</td></tr>
        """);

    /// <summary>A row a topic, a column an arm.</summary>
    private static Html Topics(RunResult run)
    {
        DownstreamArm[] arms = [.. run.Downstream.Where(d => d.Topics.Length > 1)];
        if (arms.Length == 0) return Html.Empty;
        return Html.Of($"""
            <details open><summary>Test accuracy by topic of the held-out text</summary><div class="scroll"><table>
            <thead><tr><th>topic</th><th>tokens</th>{Html.Join(arms.Select(a => Html.Of($"<th>{a.Arm}</th>")), "")}</tr></thead>
            <tbody>
            {Html.Join(arms[0].Topics.Select(t => Html.Of($"<tr><td>{t.Topic}</td><td>{Words.Count(t.Tokens)}</td>{Html.Join(arms.Select(a => Html.Of($"<td>{Words.Percent(a.Topics.FirstOrDefault(o => o.Topic == t.Topic)?.Accuracy, 2)}</td>")), "")}</tr>")))}
            </tbody></table></div></details>
            """);
    }
}
