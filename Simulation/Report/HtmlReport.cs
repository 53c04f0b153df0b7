namespace Chorus.Simulation.Report;

/// <summary>A run's result as one page for people: no script, no external file, the same bytes for the same result.</summary>
public static partial class HtmlReport
{
    /// <summary>Renders the page.</summary>
    /// <param name="run">All that the page says; texts in it are escaped.</param>
    /// <returns>A complete HTML document.</returns>
    public static string Render(RunResult run) => ReportPage.Of($"{run.Run} · Chorus", Html.Of($"""
        {Banners(run)}
        <header>
        <p class="kicker">Chorus run {run.Run} · {run.Method} · data {run.Data.Name} · seed {run.Seed}</p>
        <h1>{Headline.Title(run)}</h1>
        <p class="lead">{Headline.Lead(run)}</p>
        </header>
        {Tiles(run)}
        {Charts(run)}
        {Downstream(run)}
        {Texts(run)}
        {Privacy(run)}
        {Cost(run)}
        {Rounds(run)}
        {Samples(run)}
        {Repeat(run)}
        <footer>Chorus {run.Versions.Chorus} · .NET {run.Versions.Dotnet} · Akka.NET {run.Versions.Akka} · TorchSharp {run.Versions.Torchsharp} · {run.Versions.Os} · {Words.Counted(run.Versions.ProcessorCount, "processor")}</footer>
        """));

    /// <summary>Renders the page and writes the file whole or not at all.</summary>
    public static void Write(RunResult run, string path) => RunResultFile.WriteWhole(path, Render(run));

    private static Html Banners(RunResult run)
    {
        var banners = new List<Html>();
        if (!ReleasesNothing(run) && (run.Privacy.NoiseMultiplier == 0 || double.IsPositiveInfinity(run.Privacy.Epsilon)))
            banners.Add(Banner("Not private: no noise was added", "The released scores are exact. This run gives its clients no guarantee at all."));
        else if (!ReleasesNothing(run) && run.Privacy.ReproducibleNoise)
            banners.Add(Banner("Not private: noise is reproducible", "It was drawn from the run's seed, so that the simulation can be repeated. Whoever knows the seed can take the noise off. The epsilon below is what the same run would spend with noise from a cryptographic generator."));
        if (run.Diagnostics)
            banners.Add(Banner("Not private: diagnostics are on", "This page and result.json hold figures computed from the scores without noise. Do not publish them with private data."));
        return Html.Join(banners);
    }

    /// <summary>Whether nothing was spent because nothing of the clients was released; what is released without noise costs an infinite epsilon.</summary>
    private static bool ReleasesNothing(RunResult run) => run.Privacy.Epsilon == 0;

    /// <summary>Whether no client is asked in rounds under the run's method.</summary>
    private static bool AsksInNoRounds(RunResult run) => run.Rounds.IsDefaultOrEmpty && run.Method is "untuned" or "public" or "private" or "dp-sgd";

    /// <summary>Whether the promise holds for this very run, and not only for one like it.</summary>
    private static bool IsPrivate(RunResult run) => ReleasesNothing(run) || run.Privacy is { NoiseMultiplier: > 0, ReproducibleNoise: false } && double.IsFinite(run.Privacy.Epsilon);

    private static Html Banner(string title, string text) => Html.Of($"""<div class="banner" role="alert"><strong>{title}</strong><p>{text}</p></div>""");

    private static Html Tiles(RunResult run) => Html.Of($"""
        <section class="tiles" aria-label="Key figures">
        {Tile(Words.Percent(run.GapClosed, 0), "of the gap closed")}
        {Tile(Words.Percent(run.Accuracy?.Method), Headline.MakesTexts(run) ? "accuracy with synthetic texts" : "accuracy")}
        {Tile(Words.Number(run.Final?.Fid), "Fréchet distance at the end")}
        {Tile($"ε {Words.Number(run.Privacy.Epsilon)}", $"spent, δ {Words.Number(run.Privacy.Delta)}")}
        {Tile(Words.Count(run.Clients), $"clients, {Words.Counted(run.Nodes, "node")}")}
        {Tile(Words.Duration(run.Seconds.Total), "in all")}
        </section>
        """);

    private static Html Tile(string figure, string name) => Html.Of($"""<div class="tile"><b>{figure}</b><span>{name}</span></div>""");

    private static Html Charts(RunResult run) => Html.Of($"""
        <h2>What came of it</h2>
        <section class="charts">
        <div class="card"><h3>Accuracy between floor and ceiling</h3><p>A small model trained on public texts alone, {(Headline.MakesTexts(run) ? "with the synthetic texts" : "by the run's method")}, and with the private texts themselves.</p>{ReportCharts.Accuracy(run.Accuracy ?? new AccuracyResult(null, null, null), run.Method)}</div>
        {(AsksInNoRounds(run) ? Html.Empty : Html.Of($"""
        <div class="card"><h3>Distance to the clients' texts</h3><p>Fréchet distance between candidates and held-out texts by round; lower is nearer.</p>{ReportCharts.Distance(run)}</div>
        <div class="card"><h3>Privacy spent</h3><p>Epsilon after each round against the budget.</p>{ReportCharts.Privacy(run)}</div>
        """))}
        {(run.Rounds.Any(r => r.Turnout is not null) ? Html.Of($"""<div class="card"><h3>Who answered</h3><p>Clients asked in each round, and what became of them.</p>{ReportCharts.Turnout(run)}</div>""") : Html.Empty)}
        {(run.Diagnostics ? Html.Of($"""<div class="card"><h3>Pairs the noise left right <span class="tag">not private</span></h3><p>Share of preference pairs that scores without noise would rank alike.</p>{ReportCharts.KeptRight(run)}</div>""") : Html.Empty)}
        </section>
        """);

    private static Html Downstream(RunResult run) => run.Downstream.IsDefaultOrEmpty ? Html.Empty : Html.Of($"""
        <h2>Downstream models</h2>
        <div class="scroll"><table>
        <thead><tr><th>trained on</th><th>tokens</th><th>epochs</th><th>validation accuracy</th><th>test accuracy</th></tr></thead>
        <tbody>
        {Html.Join(run.Downstream.Select(d => Html.Of($"<tr><td>{d.Arm}</td><td>{Words.Count(d.Tokens)}</td><td>{d.Epochs}</td><td>{Words.Percent(d.ValidationAccuracy, 2)}</td><td>{Words.Percent(d.TestAccuracy, 2)}</td></tr>")))}
        </tbody></table></div>
        {Topics(run)}
        """);

    private static Html Privacy(RunResult run) => Html.Of($"""
        <h2>{(IsPrivate(run) ? "What a client is promised" : "What a client would be promised")}</h2>
        <p>{run.Privacy.Statement}</p>
        <dl>
        <dt>Protected unit</dt><dd>one {run.Privacy.Unit} with all of its texts, {run.Privacy.Adjacency}</dd>
        <dt>Spent</dt><dd>ε {Words.Number(run.Privacy.Epsilon)} at δ {Words.Number(run.Privacy.Delta)}, of a budget of ε {Words.Number(run.Privacy.Budget)}</dd>
        {(ReleasesNothing(run) ? Html.Empty : Html.Of($"""
        <dt>Noise</dt><dd>multiplier {Words.Number(run.Privacy.NoiseMultiplier)}, {Words.Counted(run.Privacy.Rounds, "release")}{(run.Privacy.ReproducibleNoise ? "; reproducible from the seed, so not private" : "")}</dd>
        <dt>Sampling</dt><dd>{run.Privacy.Sampling}</dd>
        """))}{SharedLedger(run.Privacy)}
        </dl>
        """);

    private static Html Cost(RunResult run) => run.Cost is not { } cost ? Html.Empty : Html.Of($"""
        <h2>What a round costs</h2>
        <dl>
        <dt>To a client</dt><dd>{Words.Bytes(cost.BytesToClient)}</dd>
        <dt>From a client</dt><dd>{Words.Bytes(cost.BytesFromClient)}</dd>
        <dt>Client</dt><dd>{Words.Duration(cost.ClientSeconds)} of a processor of this machine at most</dd>
        <dt>Server</dt><dd>{Words.Duration(cost.ServerSeconds)}</dd>
        </dl>
        """);

    private static Html SharedLedger(PrivacyResult privacy) => privacy.LedgerEpsilon is { } ledger
        ? Html.Of($"<dt>Shared ledger</dt><dd>ε {Words.Number(ledger)} spent by all runs on these clients, this one included</dd>")
        : Html.Empty;

    private static Html Samples(RunResult run)
    {
        SampleTexts samples = run.Samples;
        int rows = Math.Max(samples.Before.Length, samples.After.Length);
        if (rows == 0) return Html.Empty;
        if (samples.Before.Length == 0)
            return Html.Of($"""<h2>What the model wrote</h2><div class="samples">{Html.Join(samples.After.Select(t => Html.Of($"""<blockquote>{t}</blockquote>""")))}</div>""");
        static string At(IReadOnlyList<string> texts, int i) => i < texts.Count ? texts[i] : Words.Unknown;
        return Html.Of($"""
            <h2>What the model wrote</h2>
            <div class="samples">
            <h3 class="heads">before the first round</h3><h3 class="heads">after the last</h3>
            {Html.Join(Enumerable.Range(0, rows).Select(i => Html.Of($"""<blockquote data-when="before">{At(samples.Before, i)}</blockquote><blockquote class="after" data-when="after">{At(samples.After, i)}</blockquote>""")))}
            </div>
            """);
    }

    private static Html Repeat(RunResult run) => Html.Of($"""
        <h2>How to repeat it</h2>
        <pre>{run.Command}</pre>
        <details><summary>Settings (run.conf)</summary><pre>{run.Settings}</pre></details>
        <dl><dt>Data</dt><dd>{run.Data.Name}, SHA-256 {run.Data.Sha256}</dd>
        {Html.Join(run.Seconds.Phases.Select(p => Html.Of($"<dt>{p.Phase}</dt><dd>{Words.Duration(p.Seconds)}</dd>")))}</dl>
        """);
}
