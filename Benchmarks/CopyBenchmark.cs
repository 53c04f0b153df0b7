using System.Diagnostics;
using System.Globalization;
using Chorus.Simulation.Data;
using Chorus.Simulation.Metrics;

namespace Chorus.Benchmarks;

/// <summary>
/// The longest run of words that each of a set of texts shares with a corpus, by <see cref="CopiedRuns"/> and by the table of
/// longest common substrings of every pair. Method: synthesised texts (congress, seed 1), results compared first, each timed
/// once after a warm-up on a tenth of the texts, on one thread; then the automaton alone on the whole corpus.
/// </summary>
internal static class CopyBenchmark
{
    private const int Texts = 300;
    private const int Corpus = 1_000;

    public static int Run(BenchmarkArguments arguments)
    {
        var folder = arguments.Text("folder", Path.Combine(Path.GetTempPath(), "chorus-copies"));
        CorpusSynthesizer.Write(new SynthesisSettings { Clients = 20_000, InitialTexts = 18_000 }, folder);
        using var corpus = FederatedCorpus.Open(folder);
        string[] texts = [.. corpus.Initial.Take(Texts)];
        string[] others = [.. Enumerable.Range(0, corpus.Clients.Count).SelectMany(c => corpus.Clients.ReadTexts(c)).Take(Corpus)];

        Automaton(texts[..(Texts / 10)], others);
        Pairs(texts[..(Texts / 10)], others);
        var (fast, fastSeconds) = Timed(() => Automaton(texts, others));
        var (plain, plainSeconds) = Timed(() => Pairs(texts, others));
        if (!fast.SequenceEqual(plain))
            throw new InvalidOperationException("the two do not agree: nothing to measure");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Texts} texts, corpus of {Corpus:N0}: automaton {fastSeconds * 1e3:0.0} ms, every pair {plainSeconds * 1e3:0} ms, ratio {plainSeconds / fastSeconds:0}"));

        var before = GC.GetTotalMemory(forceFullCollection: true);
        CopiedRuns? runs = null;
        var (_, build) = Timed(() => runs = new CopiedRuns(corpus.Initial));
        var held = GC.GetTotalMemory(forceFullCollection: true) - before;
        var (_, read) = Timed(() =>
        {
            for (var client = 0; client < corpus.Clients.Count; client++)
            {
                foreach (var text in corpus.Clients.ReadTexts(client))
                    runs!.Read(text);
            }

            return true;
        });
        var (_, longest) = Timed(() => runs!.Longest());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{corpus.Initial.Length:N0} texts, corpus of {corpus.Clients.TextCount:N0}: built in {build:0.0} s ({held / 1e6:0} MB), read past it in {read:0.0} s, summed up in {longest:0.0} s"));
        return 0;
    }

    private static int[] Automaton(IReadOnlyCollection<string> texts, IEnumerable<string> corpus)
    {
        var runs = new CopiedRuns(texts);
        foreach (var text in corpus)
            runs.Read(text);
        return runs.Longest();
    }

    private static int[] Pairs(IReadOnlyList<string> texts, IReadOnlyList<string> corpus)
    {
        // Words as numbers, so that a comparison costs the plain way no more than it must.
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        int[] Words(string text) => [.. text.ToLowerInvariant().Split([' ', '.', ',', ';', ':', '?', '!', '"', '(', ')', '%', '$', '/', '&', '+', '='], StringSplitOptions.RemoveEmptyEntries).Select(w => w.Trim('\'', '-')).Where(w => w.Length > 0)
            .Select(w => numbers.TryGetValue(w, out var n) ? n : numbers[w] = numbers.Count)];
        int[][] a = [.. texts.Select(Words)], b = [.. corpus.Select(Words)];
        return [.. a.Select(x => b.Max(y => Longest(x, y)))];
    }

    private static int Longest(int[] a, int[] b)
    {
        var row = new int[b.Length + 1];
        var longest = 0;
        foreach (var word in a)
        {
            for (var j = b.Length; j > 0; j--)
                longest = Math.Max(longest, row[j] = word == b[j - 1] ? row[j - 1] + 1 : 0);
        }

        return longest;
    }

    private static (T Result, double Seconds) Timed<T>(Func<T> work)
    {
        var began = Stopwatch.GetTimestamp();
        var result = work();
        return (result, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }
}
