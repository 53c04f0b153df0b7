using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Chorus.Simulation.Data;

/// <summary>Least, median, 95th percentile and greatest of a list of whole numbers (percentiles by nearest rank).</summary>
public sealed record Spread(int Minimum, int Median, int P95, int Maximum)
{
    /// <param name="values">At least one value; sorted in place.</param>
    internal static Spread Of(List<int> values)
    {
        if (values.Count == 0) return new Spread(0, 0, 0, 0);
        values.Sort();
        int Rank(int percent) => values[Math.Max(0, (int)(((long)values.Count * percent + 99) / 100) - 1)];
        return new Spread(values[0], Rank(50), Rank(95), values[^1]);
    }
}

/// <summary>A word and how often it stands in the clients' texts.</summary>
public sealed record WordCount(string Word, long Count);

/// <summary>What a corpus holds, in counts: for whoever runs the simulation and owns all of its data.</summary>
/// <remarks>
/// Exact counts over private texts, without noise: no part of what a run releases. It names frequent words and no text.
/// Words are runs of letters, digits, apostrophes and hyphens, in lower case; text lengths count whitespace-separated words.
/// </remarks>
/// <param name="Clients">Number of clients.</param>
/// <param name="EmptyClients">Those without a text.</param>
/// <param name="Texts">Texts of all clients.</param>
/// <param name="EvalTexts">Held-out texts.</param>
/// <param name="InitialTexts">Public texts.</param>
/// <param name="ClientSizes">Texts a client.</param>
/// <param name="TextWords">Words a text, over the clients' texts.</param>
/// <param name="InitialWords">Words a text, over the public texts.</param>
/// <param name="Words">Words in the clients' texts.</param>
/// <param name="DistinctWords">Distinct words among them.</param>
/// <param name="TopWords">The most frequent words, most frequent first, ties in ordinal order.</param>
public sealed record CorpusDescription(
    int Clients, int EmptyClients, long Texts, int EvalTexts, int InitialTexts, Spread ClientSizes, Spread TextWords,
    Spread InitialWords, long Words, int DistinctWords, ImmutableArray<WordCount> TopWords)
{
    /// <summary>How many frequent words are named.</summary>
    public const int TopWordCount = 20;

    /// <summary>Reads every client's texts once and counts.</summary>
    public static CorpusDescription Of(FederatedCorpus corpus)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        var sizes = new List<int>(corpus.Clients.Count);
        var lengths = new List<int>();
        long words = 0;
        for (int client = 0; client < corpus.Clients.Count; client++)
        {
            sizes.Add(corpus.Clients.TextCountOf(client));
            foreach (string text in corpus.Clients.ReadTexts(client))
            {
                lengths.Add(WordsIn(text));
                words += CountWords(text, lookup);
            }
        }
        return new CorpusDescription(
            corpus.Clients.Count, sizes.Count(s => s == 0), corpus.Clients.TextCount, corpus.Eval.Length, corpus.Initial.Length,
            Spread.Of(sizes), Spread.Of(lengths), Spread.Of([.. corpus.Initial.Select(WordsIn)]), words, counts.Count,
            [.. counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal)
                .Take(TopWordCount).Select(c => new WordCount(c.Key, c.Value))]);
    }

    private static int WordsIn(string text)
    {
        int words = 0;
        bool inside = false;
        foreach (char c in text)
        {
            bool letter = !char.IsWhiteSpace(c);
            if (letter && !inside) words++;
            inside = letter;
        }
        return words;
    }

    private static long CountWords(string text, Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> counts)
    {
        long words = 0;
        var reader = new WordReader(text.ToLowerInvariant());
        for (; reader.Next(out ReadOnlySpan<char> word); words++) CollectionsMarshal.GetValueRefOrAddDefault(counts, word, out _)++;
        return words;
    }
}
