using Chorus.Simulation.Privacy.Audit;

namespace Chorus.Simulation.Report;

/// <summary>An audit as one page for people: no script, no external file, the same bytes for the same result.</summary>
public static class AuditReport
{
    /// <summary>Writes <c>audit.json</c> and <c>audit.html</c> into a folder that exists, each whole or not at all.</summary>
    /// <returns>Where the page is.</returns>
    public static string Write(AuditResult audit, string folder)
    {
        ArgumentNullException.ThrowIfNull(audit);
        RunResultFile.WriteWhole(Path.Combine(folder, "audit.json"), audit.ToJson());
        string page = Path.Combine(folder, "audit.html");
        RunResultFile.WriteWhole(page, Render(audit));
        return page;
    }

    /// <summary>Renders the page.</summary>
    /// <returns>A complete HTML document.</returns>
    public static string Render(AuditResult audit) => ReportPage.Of($"Audit of {audit.Mechanism} · Chorus", Html.Of($"""
        {Banner(audit)}
        <header>
        <p class="kicker">Chorus audit · mechanism of {audit.Mechanism} · noise multiplier {Words.Number(audit.NoiseMultiplier)} · seed {audit.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture)}{(audit.ReproducibleNoise ? ", noise from the seed" : ", noise from the operating system")}</p>
        <h1>{Title(audit)}</h1>
        <p class="lead">{Words.Counted(audit.Findings.Canaries, "canary client")} took part in each of {Words.Counted(audit.Findings.Runs, "real release")} or did not, by a fair coin each; whoever sees only the releases guessed the coins.</p>
        </header>
        <section class="tiles" aria-label="Key figures">
        {Tile($"ε {Words.Number(audit.ClaimedEpsilon)}", $"claimed for one release, δ {Words.Number(audit.Findings.Delta)}")}
        {Tile($"ε ≥ {Words.Short(audit.Findings.EpsilonLower)}", "shown, whatever the mechanism is")}
        {Tile($"ε ≥ {Words.Short(audit.Findings.Gaussian.Epsilon)}", "shown, if its trade-off curve is Gaussian")}
        {Tile(Words.Percent(audit.Findings.Confidence, 0), "confidence, of all bounds together")}
        {Tile(Words.Duration(audit.Seconds), "in all")}
        </section>
        <h2>What was seen</h2>
        <section class="charts">
        <div class="card"><h3>Lower bounds beside the claim</h3><p>A correct mechanism stays below its claim. How far below says how strong the audit is, not how private the mechanism is.</p>{AuditCharts.Bounds(audit)}</div>
        <div class="card"><h3>Scores of canaries in and out</h3><p>A score is what the release holds in the direction of the canary's own vote. The further apart the two, the less private.</p>{AuditCharts.Scores(audit.Histogram)}</div>
        <div class="card"><h3>Telling in from out</h3><p>Hits against false alarms at every threshold, and the curves that the claim allows: as a Gaussian mechanism, and by its (ε, δ) alone.</p>{AuditCharts.Roc(audit)}</div>
        </section>
        <h2>Guesses</h2>
        <div class="scroll"><table>
        <thead><tr><th>share guessed on each side</th><th>guesses</th><th>right</th><th>share right</th><th>ε at least</th></tr></thead>
        <tbody>
        {Html.Join(audit.Findings.Guesses.Select(Row))}
        </tbody></table></div>
        <h2>How to read it</h2>
        <p>The first bound holds for any mechanism (Steinke, Nasr and Jagielski 2023, Theorem 5.2, applied to every release and added up); the shares were fixed beforehand and split the error. The second assumes that hits and false alarms lie on a Gaussian's curve and that scores do not depend on one another (Nasr et al. 2023): it sees more with fewer canaries.</p>
        <p>A bound above the claim refutes the claim. A bound below it proves nothing: an audit finds only what it tries, here canaries with votes that do not overlap, one release at a time, full knowledge of scorer and candidates.</p>
        <footer>{AuditResult.CurrentSchema}</footer>
        """));

    private static Html Banner(AuditResult audit) => audit.Refuted
        ? Html.Of($"""<div class="banner" role="alert"><strong>The claim is refuted</strong><p>The releases give more away than ε {Words.Number(audit.ClaimedEpsilon)} allows. Something in the path from vote to release is not what the accountant assumes: sensitivity, noise, or who is counted how often. {(audit.Findings.EpsilonLower > audit.ClaimedEpsilon ? "This holds whatever the mechanism is." : "This was found by reading the scores as a Gaussian mechanism's; the bound that assumes nothing is below the claim.")}</p></div>""")
        : Html.Empty;

    private static string Title(AuditResult audit) => audit.Refuted
        ? "This mechanism is less private than it claims"
        : "The audit found nothing against the claim";

    private static Html Tile(string figure, string name) => Html.Of($"""<div class="tile"><b>{figure}</b><span>{name}</span></div>""");

    private static Html Row(GuessResult g) => Html.Of(
        $"<tr><td>{Words.Percent(g.Fraction)}</td><td>{Words.Count(g.Guesses)}</td><td>{Words.Count(g.Right)}</td><td>{Words.Percent((double)g.Right / g.Guesses, 2)}</td><td>{Words.Short(g.Epsilon)}</td></tr>");
}
