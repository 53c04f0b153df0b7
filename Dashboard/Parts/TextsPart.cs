using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>Candidates: which the clients chose, and how the model's texts changed.</summary>
internal static class TextsPart
{
    public static Html Draw(RoundTexts? texts) => texts is null
        ? Html.Of($"""<p class="nothing">No candidate is written yet.</p>""")
        : Html.Of($"""
            <div class="charts two">
            <div class="card"><h3>Chosen beside rejected{(texts.PairsRound > 0 ? $", round {texts.PairsRound}" : "")}</h3><p>The pairs that the clients' noised votes put widest apart.</p>{Pairs(texts)}</div>
            {(texts.Now.IsEmpty ? Written(texts) : BeforeAndNow(texts))}
            </div>
            """);

    private static Html Pairs(RoundTexts texts) => texts.Pairs.IsEmpty
        ? Html.Of($"""<p class="nothing">{(texts.PairsRound > 0 ? "This round's release tells no pairs apart." : "The clients have not chosen yet.")}</p>""")
        : Beside("chosen", "rejected", texts.Pairs.Select(p => (p.Chosen, p.Rejected, double.IsFinite(p.Margin) ? $"mean votes {Words.Short(p.Margin)} apart" : "")), firstIsMarked: true);

    private static Html Written(RoundTexts texts) => Html.Of($"""
        <div class="card"><h3>What it writes before it has learned</h3><p>Candidates of round 1.</p><div class="pairs">{Html.Join(texts.Before.Select(t => Html.Of($"""<figure class="pair one"><blockquote>{t}</blockquote></figure>""")))}</div></div>
        """);

    private static Html BeforeAndNow(RoundTexts texts) => Html.Of($"""
        <div class="card"><h3>Before beside now</h3><p>{(texts.SamePrompts ? "To the same prompts: before the first round, and after the last." : $"What the model wrote in round 1, and what it writes in round {texts.Round}.")}</p>{Beside("before", "now", texts.Before.Zip(texts.Now, (b, n) => (b, n, "")), firstIsMarked: false)}</div>
        """);

    private static Html Beside(string left, string right, IEnumerable<(string Left, string Right, string Note)> rows, bool firstIsMarked)
    {
        var (a, b) = firstIsMarked ? ("after", "") : ("", "after");
        return Html.Of($"""
            <div class="pairs"><p class="pair-heads" aria-hidden="true"><span>{left}</span><span>{right}</span></p>
            {Html.Join(rows.Select(r => Html.Of($"""<figure class="pair"><blockquote class="{a}"><span class="which">{left}: </span>{r.Left}</blockquote><blockquote class="{b}"><span class="which">{right}: </span>{r.Right}</blockquote>{(r.Note.Length > 0 ? Html.Of($"<figcaption>{r.Note}</figcaption>") : Html.Empty)}</figure>""")))}
            </div>
            """);
    }
}
