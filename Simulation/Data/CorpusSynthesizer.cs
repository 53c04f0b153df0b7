using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
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
    public const int GeneratorVersion = 3;

    private const ulong ClientStream = 1, EvalStream = 2, InitialStream = 3;

    /// <summary>Names the corpus in a cache: equal for equal bytes, safe as a folder name.</summary>
    public static string CacheKey(SynthesisSettings s) => string.Create(CultureInfo.InvariantCulture,
        $"{FlavourName(s)}-c{s.Clients}-s{s.Seed}-a{s.Alpha:R}-i{s.InitialTexts}-e{s.EvalClients}-g{GeneratorVersion}");

    /// <summary>Writes the three files of a data folder, and <c>synthesis.json</c> that says what made them.</summary>
    /// <param name="s">What to write.</param>
    /// <param name="directory">The folder to make. One that holds the three files already is left as it is.</param>
    /// <param name="clientsWritten">Told the number of private clients written, now and then.</param>
    /// <param name="ct">Ends the work; nothing is left behind.</param>
    /// <exception cref="DataFormatException">The folder is there and holds something else.</exception>
    public static void Write(SynthesisSettings s, string directory, IProgress<int>? clientsWritten = null, CancellationToken ct = default)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        if (IsComplete(full)) return;
        if (Directory.Exists(full) && Directory.EnumerateFileSystemEntries(full).Any())
            throw new DataFormatException(full, null, "a complete data folder, an empty folder or none", "a folder with other things in it");

        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        string temporary = $"{full}.{Path.GetRandomFileName()}.tmp";
        Directory.CreateDirectory(temporary);
        try
        {
            WriteFiles(s, temporary, clientsWritten, ct);
            if (Directory.Exists(full) && !IsComplete(full)) Directory.Delete(full);
            try
            {
                Directory.Move(temporary, full);
            }
            catch (IOException) when (IsComplete(full))
            {
                // Somebody else was quicker with the same bytes.
            }
        }
        finally
        {
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>One private client.</summary>
    internal static Author Client(SynthesisSettings s, int client) => new(s, ClientStream, client);

    /// <summary>One private client's texts, as they stand in the file.</summary>
    internal static IEnumerable<string> ClientTexts(SynthesisSettings s, int client) => Client(s, client).Texts().Select(t => t.Text);

    /// <summary>The public texts, as they stand in the file.</summary>
    internal static IEnumerable<string> InitialSet(SynthesisSettings s) => PublicTexts(s, InitialStream, s.InitialTexts, Mixtures.PublicTopics, Mixtures.PublicStyles);

    /// <summary>Texts drawn one by one from the given mixtures, without clients.</summary>
    internal static IEnumerable<string> PublicTexts(SynthesisSettings s, ulong stream, int count, IReadOnlyList<int> topics, IReadOnlyList<int> styles)
    {
        int[] topicTotals = Author.Cumulate(topics), styleTotals = Author.Cumulate(styles);
        var composer = new TextComposer(Author.GrammarOf(s.Flavour), styleTotals);
        for (int i = 0; i < count; i++)
        {
            var random = new KeyedRandom(s.Seed, stream, (ulong)i);
            yield return composer.Write(random.Pick(topicTotals), random.Pick(styleTotals), ref random);
        }
    }

    /// <summary>The held-out texts, as they stand in the file.</summary>
    internal static IEnumerable<string> EvalSet(SynthesisSettings s) =>
        Enumerable.Range(0, s.EvalClients).SelectMany(c => new Author(s, EvalStream, c).Texts()).Select(t => t.Text);

    private static void WriteFiles(SynthesisSettings s, string directory, IProgress<int>? clientsWritten, CancellationToken ct)
    {
        WriteJson(Path.Combine(directory, FederatedCorpus.ClientsFile), writer =>
        {
            writer.WriteStartObject();
            for (int client = 0; client < s.Clients; client++)
            {
                ct.ThrowIfCancellationRequested();
                writer.WriteStartArray(string.Create(CultureInfo.InvariantCulture, $"{FlavourName(s)}-{client:D6}"));
                foreach (string text in ClientTexts(s, client)) writer.WriteStringValue(text);
                writer.WriteEndArray();
                if (client % 256 == 255) writer.Flush();
                if (client % 1_000 == 999 || client == s.Clients - 1) clientsWritten?.Report(client + 1);
            }
            writer.WriteEndObject();
        });
        WriteTexts(Path.Combine(directory, FederatedCorpus.EvalFile), EvalSet(s));
        WriteTexts(Path.Combine(directory, FederatedCorpus.InitialFile), InitialSet(s));
        WriteJson(Path.Combine(directory, "synthesis.json"), writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("about", "Made up by Chorus from a grammar; no sentence is a person's.");
            writer.WriteString("key", CacheKey(s));
            writer.WriteEndObject();
        });
    }

    private static void WriteTexts(string path, IEnumerable<string> texts) => WriteJson(path, writer =>
    {
        writer.WriteStartArray();
        foreach (string text in texts) writer.WriteStringValue(text);
        writer.WriteEndArray();
    });

    private static void WriteJson(string path, Action<Utf8JsonWriter> write)
    {
        using FileStream file = File.Create(path, bufferSize: 1 << 16);
        // Plain text a line: easy to look at, and no escape but those that JSON asks for.
        using (var writer = new Utf8JsonWriter(file, new JsonWriterOptions
        {
            Indented = true,
            IndentSize = 0,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }))
        {
            write(writer);
        }
        file.Write("\n"u8);
    }

    private static string FlavourName(SynthesisSettings s) => s.Flavour switch
    {
        CorpusFlavour.Congress => "congress",
        CorpusFlavour.Biorxiv => "biorxiv",
        _ => throw new InvalidOperationException($"no such flavour: {s.Flavour}"),
    };

    private static bool IsComplete(string directory) =>
        new[] { FederatedCorpus.ClientsFile, FederatedCorpus.EvalFile, FederatedCorpus.InitialFile }.All(f => File.Exists(Path.Combine(directory, f)));
}
