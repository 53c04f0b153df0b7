using Chorus.Simulation.Data;
using ScottPlot;

namespace Chorus.Simulation.Report;

/// <summary>What a corpus holds as one page for people: no script, no external file, the same bytes for the same corpus.</summary>
public static class CorpusReport
{
    /// <summary>Renders the page and writes the file whole or not at all.</summary>
    public static void Write(FederatedCorpus corpus, CorpusDescription description, CorpusMixture mixture, string path) =>
        RunResultFile.WriteWhole(path, Render(corpus.Name, corpus.Sha256, description, mixture));

    /// <summary>Renders the page.</summary>
    /// <returns>A complete HTML document.</returns>
    public static string Render(string name, string sha256, CorpusDescription description, CorpusMixture mixture) => ReportPage.Of($"Corpus {name} · Chorus", Html.Of($"""
        <div class="banner" role="alert"><strong>Not private</strong><p>Exact figures of private texts, for whoever runs the simulation. Do not publish them with private data.</p></div>
        <header>
        <p class="kicker">Chorus corpus {name} · SHA-256 {sha256}</p>
        <h1>{Words.Counted(description.Clients, "client")} with {Words.Counted(description.Texts, "private text")}</h1>
        <p class="lead">{Lead(mixture)}</p>
        </header>
        <section class="tiles" aria-label="Key figures">
        {Tile(Words.Count(description.ClientSizes.Median), $"texts of the median client, {Words.Count(description.ClientSizes.Maximum)} of the largest")}
        {Tile(Words.Count(description.TextWords.Median), "words of the median text")}
        {Tile(Words.Count(description.DistinctWords), $"different words among {Words.Count(description.Words)}")}
        {Tile(Words.Count(description.EvalTexts), "held-out texts")}
        {Tile(Words.Count(description.InitialTexts), "public texts")}
        {Tile(Words.Count(description.EmptyClients), "clients without a text")}
        </section>
        <h2>How clients differ</h2>
        <section class="charts">
        <div class="card"><h3>Client sizes</h3><p>Clients by their number of texts, in bins that double.</p>{Sizes(mixture)}</div>
        <div class="card"><h3>Topics</h3><p>Share of private (filled), held-out (ring) and public texts (grey). {(mixture.Labelled ? "Labels are the data's own." : "Topics are clusters of the public texts, named by their words.")}</p>{Topics(mixture)}</div>
        <div class="card"><h3>Clients' commonest topics</h3><p>How much of a client's texts are on its commonest topic (clients with {CorpusMixture.LeastTexts} texts or more), and what it would be if topics were dealt by chance (grey line).</p>{MainTopic(mixture)}</div>
        </section>
        <h2>Topics</h2>
        <div class="scroll"><table>
        <thead><tr><th>topic</th><th>private</th><th>held-out</th><th>public</th></tr></thead>
        <tbody>
        {Html.Join(mixture.Topics.Select(t => Html.Of($"<tr><td>{t.Topic}</td><td>{Words.Percent(t.Private)}</td><td>{Words.Percent(t.HeldOut)}</td><td>{Words.Percent(t.Public)}</td></tr>")))}
        </tbody></table></div>
        """));

    private static string Lead(CorpusMixture mixture) => mixture.SameTopic is { } same
        ? $"Two texts of one client share their topic with probability {Words.Percent(same, 0)}, two of anybody with {Words.Percent(mixture.SameTopicIfAlike, 0)}: {(mixture.Alpha is { } alpha && double.IsFinite(alpha) ? $"as clients drawn from a Dirichlet distribution of concentration {Words.Short(alpha)} have it" : "clients do not differ in topics")}."
        : "No client has two texts, so that it cannot be said how much clients differ in topics.";

    private static Html Tile(string figure, string name) => Html.Of($"""<div class="tile"><b>{figure}</b><span>{name}</span></div>""");

    private static Html Sizes(CorpusMixture mixture)
    {
        SizeBin[] bins = [.. mixture.Sizes.SkipWhile(b => b.Clients == 0)];
        double most = Math.Max(1, bins.Max(b => b.Clients)) * 1.15;
        var chart = new SvgChart((-0.6, bins.Length - 0.4), (0, most));
        chart.XTicks([.. bins.Select((_, i) => (double)i)], i => NameOf(bins[(int)i]), "texts a client");
        chart.YTicks(SvgChart.RoundTicks(0, most), t => Words.Count((long)t));
        for (int i = 0; i < bins.Length; i++)
        {
            chart.Plot.Add.Bar(new Bar { Position = i, Value = bins[i].Clients, Size = 0.8, FillColor = SvgChart.Ink("series"), LineWidth = 0 });
            chart.LabelAt(i, bins[i].Clients, Words.Count(bins[i].Clients), "middle", "tick", dy: -5);
        }
        return chart.ToHtml("chart-sizes", "Clients by number of texts: " + string.Join(", ", bins.Select(b => $"{NameOf(b)} texts {Words.Count(b.Clients)}")));

        static string NameOf(SizeBin bin) => bin.From == bin.To ? Words.Count(bin.From) : $"{Words.Count(bin.From)}–{Words.Count(bin.To)}";
    }

    private static Html Topics(CorpusMixture mixture)
    {
        TopicShare[] topics = [.. mixture.Topics.Reverse()];   // the first on top
        double most = Math.Max(0.01, topics.Max(t => Math.Max(t.Private, Math.Max(t.Public ?? 0, t.HeldOut ?? 0)))) * 1.08;
        var chart = new SvgChart((0, most), (-0.7, topics.Length - 0.3), left: 190);
        chart.XTicks(SvgChart.RoundTicks(0, most), t => Words.Percent(t, 0), "share of texts");
        chart.YTicks([], _ => "");
        for (int i = 0; i < topics.Length; i++)
        {
            var line = chart.Plot.Add.Line(0, i, most, i);
            (line.LineColor, line.LineWidth, line.MarkerSize) = (SvgChart.Ink("grid"), 1, 0);
            chart.LabelLeft(i, Cut(topics[i].Topic));
            if (topics[i].Public is { } open) Dot(open, i, "quiet", MarkerShape.FilledCircle);
            Dot(topics[i].Private, i, "series", MarkerShape.FilledCircle);
            if (topics[i].HeldOut is { } held) Dot(held, i, "limit", MarkerShape.OpenCircle);
        }
        return chart.ToHtml("chart-topics", "Topics among private and public texts: " + string.Join(", ", mixture.Topics.Select(t => $"{t.Topic} {Words.Percent(t.Private, 0)} and {Words.Percent(t.Public, 0)}")));

        void Dot(double at, int row, string ink, MarkerShape shape)
        {
            var marker = chart.Plot.Add.Marker(at, row, shape, shape == MarkerShape.OpenCircle ? 10 : 8, SvgChart.Ink(ink));
            marker.LineWidth = shape == MarkerShape.OpenCircle ? 1.6f : 0;
        }

        static string Cut(string name) => name.Length <= 28 ? name : name[..27] + "…";
    }

    private static Html MainTopic(CorpusMixture mixture)
    {
        if (mixture.MainTopic.Sum() == 0) return Html.Of($"""<p class="nothing">No client has {CorpusMixture.LeastTexts} texts.</p>""");
        double most = Math.Max(mixture.MainTopic.Max(), mixture.MainTopicIfAlike.Max()) * 1.15;
        var chart = new SvgChart((0, 1), (0, most));
        chart.XTicks([0, 0.2, 0.4, 0.6, 0.8, 1], t => Words.Percent(t, 0), "of a client's texts are on its commonest topic");
        chart.YTicks(SvgChart.RoundTicks(0, most), t => Words.Count((long)t));
        double width = 1.0 / mixture.MainTopic.Length;
        for (int i = 0; i < mixture.MainTopic.Length; i++)
            chart.Plot.Add.Bar(new Bar { Position = (i + 0.5) * width, Value = mixture.MainTopic[i], Size = 0.86 * width, FillColor = SvgChart.Ink("series"), LineWidth = 0 });
        var alike = chart.Plot.Add.Scatter([.. mixture.MainTopicIfAlike.Select((_, i) => (i + 0.5) * width)], mixture.MainTopicIfAlike.Select(n => (double)n).ToArray());
        (alike.Color, alike.LineWidth, alike.MarkerSize) = (SvgChart.Ink("quiet"), 2, 5);
        return chart.ToHtml("chart-main-topic", "Clients by the share of their texts that are on their commonest topic: " + string.Join(", ", mixture.MainTopic.Select((n, i) => $"up to {Words.Percent((i + 1) * width, 0)} {Words.Count(n)}")));
    }
}
