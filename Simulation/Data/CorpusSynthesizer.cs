using System.Collections.Immutable;
using System.Globalization;
using Chorus.Simulation.Data.Synthesis;

namespace Chorus.Simulation.Data;

/// <summary>Makes up a corpus in LargeFedBench's shape from a seed, so that a simulation needs no download.</summary>
/// <remarks>
/// <para>
/// What it is: texts from a probabilistic grammar written for this project, in two flavours, with sixteen topics and six
/// styles each. A client's texts keep to its own few topics and styles (a Dirichlet-multinomial draw around the
/// population's mixture), clients' sizes are long-tailed, and the public initial set has the same topics and styles in a
/// visibly different mixture: <see cref="Mixtures"/> holds the numbers and their reasons. Held-out texts are those of
/// further clients drawn like the private ones.
/// </para>
/// <para>
/// What it is not: speech or science. No sentence is a person's, names are put together from syllables, figures are drawn
/// at random, and a bill or a finding in it never was. Figures measured on it tell how a method behaves on a known shift
/// between public and private text; they do not stand in for the published corpora.
/// </para>
/// </remarks>
public static class CorpusSynthesizer
{
    /// <summary>Changes whenever the same settings give other bytes.</summary>
    public const int GeneratorVersion = 4;

    private const ulong ClientStream = 1, EvalStream = 2, InitialStream = 3;

    /// <summary>Names the corpus in a cache: equal for equal bytes, safe as a folder name.</summary>
    public static string CacheKey(SynthesisSettings s) => string.Create(CultureInfo.InvariantCulture,
        $"{FlavourName(s)}-c{s.Clients}-s{s.Seed}-a{s.Alpha:R}-i{s.InitialTexts}-e{s.EvalClients}-g{GeneratorVersion}");

    /// <summary>Writes the three files of a data folder, their topics, and <c>synthesis.json</c> that says what made them.</summary>
    /// <param name="s">What to write.</param>
    /// <param name="directory">The folder to make. One that holds the three files already is left as it is.</param>
    /// <param name="clientsWritten">Told the number of private clients written, now and then.</param>
    /// <param name="ct">Ends the work; nothing is left behind.</param>
    /// <exception cref="DataFormatException">The folder is there and holds something else.</exception>
    public static void Write(SynthesisSettings s, string directory, IProgress<int>? clientsWritten = null, CancellationToken ct = default)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        if (CorpusFolder.IsComplete(full)) return;
        if (Directory.Exists(full) && Directory.EnumerateFileSystemEntries(full).Any())
            throw new DataFormatException(full, null, "a complete data folder, an empty folder or none", "a folder with other things in it");

        using var folder = new CorpusFolder(full);
        WriteFiles(s, folder, clientsWritten, ct);
        folder.Complete();
    }

    /// <summary>One private client.</summary>
    internal static Author Client(SynthesisSettings s, int client) => new(s, ClientStream, client);

    /// <summary>One private client's texts, as they stand in the file.</summary>
    internal static IEnumerable<string> ClientTexts(SynthesisSettings s, int client) => Client(s, client).Texts().Select(t => t.Text);

    /// <summary>The public texts, as they stand in the file.</summary>
    internal static IEnumerable<string> InitialSet(SynthesisSettings s) => PublicTexts(s, InitialStream, s.InitialTexts, Mixtures.PublicTopics, Mixtures.PublicStyles).Select(t => t.Text);

    /// <summary>Texts drawn one by one from the given mixtures, without clients.</summary>
    internal static IEnumerable<(int Topic, string Text)> PublicTexts(SynthesisSettings s, ulong stream, int count, IReadOnlyList<int> topics, IReadOnlyList<int> styles)
    {
        int[] topicTotals = Author.Cumulate(topics), styleTotals = Author.Cumulate(styles);
        var composer = new TextComposer(Author.GrammarOf(s.Flavour), styleTotals);
        for (int i = 0; i < count; i++)
        {
            var random = new KeyedRandom(s.Seed, stream, (ulong)i);
            int topic = random.Pick(topicTotals);
            yield return (topic, composer.Write(topic, random.Pick(styleTotals), ref random));
        }
    }

    /// <summary>The held-out texts, as they stand in the file.</summary>
    internal static IEnumerable<string> EvalSet(SynthesisSettings s) => EvalTexts(s).Select(t => t.Text);

    private static IEnumerable<(int Topic, int Style, string Text)> EvalTexts(SynthesisSettings s) =>
        Enumerable.Range(0, s.EvalClients).SelectMany(c => new Author(s, EvalStream, c).Texts());

    private static void WriteFiles(SynthesisSettings s, CorpusFolder folder, IProgress<int>? clientsWritten, CancellationToken ct)
    {
        ImmutableArray<string> topics = Author.GrammarOf(s.Flavour).TopicNames;
        using (var texts = new CorpusFolder.ClientsWriter(folder.In(FederatedCorpus.ClientsFile)))
        using (var labels = new CorpusFolder.ClientsWriter(folder.In(CorpusTopics.ClientsFile)))
        {
            for (int client = 0; client < s.Clients; client++)
            {
                ct.ThrowIfCancellationRequested();
                string id = string.Create(CultureInfo.InvariantCulture, $"{FlavourName(s)}-{client:D6}");
                (int Topic, int Style, string Text)[] own = [.. Client(s, client).Texts()];
                texts.Write(id, own.Select(t => t.Text));
                labels.Write(id, own.Select(t => topics[t.Topic]));
                if (client % 1_000 == 999 || client == s.Clients - 1) clientsWritten?.Report(client + 1);
            }
        }
        (int Topic, int Style, string Text)[] eval = [.. EvalTexts(s)];
        CorpusFolder.WriteTexts(folder.In(FederatedCorpus.EvalFile), eval.Select(t => t.Text));
        CorpusFolder.WriteTexts(folder.In(CorpusTopics.EvalFile), eval.Select(t => topics[t.Topic]));
        (int Topic, string Text)[] initial = [.. PublicTexts(s, InitialStream, s.InitialTexts, Mixtures.PublicTopics, Mixtures.PublicStyles)];
        CorpusFolder.WriteTexts(folder.In(FederatedCorpus.InitialFile), initial.Select(t => t.Text));
        CorpusFolder.WriteTexts(folder.In(CorpusTopics.InitialFile), initial.Select(t => topics[t.Topic]));
        CorpusFolder.WriteJson(folder.In("synthesis.json"), writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("about", "Made up by Chorus from a grammar; no sentence is a person's.");
            writer.WriteString("key", CacheKey(s));
            writer.WriteEndObject();
        });
    }

    private static string FlavourName(SynthesisSettings s) => s.Flavour switch
    {
        CorpusFlavour.Congress => "congress",
        CorpusFlavour.Biorxiv => "biorxiv",
        _ => throw new InvalidOperationException($"no such flavour: {s.Flavour}"),
    };
}
