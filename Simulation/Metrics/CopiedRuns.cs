namespace Chorus.Simulation.Metrics;

/// <summary>
/// For each of a set of texts, the longest run of words that it shares with any text of a corpus: their longest common
/// substring, over words. Case and punctuation make no difference.
/// </summary>
/// <remarks>
/// The automaton is that of the texts, and the corpus is read past it once, text by text: time is linear in both and memory
/// in the texts alone, so a corpus of any size can be read where it lies. In each state the longest string met is kept;
/// what was met there was met in all states along its suffix links too.
/// </remarks>
public sealed class CopiedRuns
{
    private readonly Vocabulary _vocabulary = new();
    private readonly SuffixAutomaton _automaton = new();
    private readonly int[][] _texts;
    private readonly int[] _met;
    private readonly List<int> _words = [];

    public CopiedRuns(IEnumerable<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        _texts = [.. texts.Select(_vocabulary.Learn)];
        foreach (int[] text in _texts)
            _automaton.Add(text);
        _met = new int[_automaton.States];
    }

    /// <summary>Reads a text of the corpus. Not thread-safe.</summary>
    public void Read(string text)
    {
        _vocabulary.Read(text, _words);
        int state = SuffixAutomaton.Root, length = 0;
        foreach (int word in _words)
        {
            int next = _automaton.Next(state, word);
            for (; next < 0 && state != SuffixAutomaton.Root; next = _automaton.Next(state, word))
                (state, length) = (_automaton.LinkOf(state), _automaton.LengthOf(_automaton.LinkOf(state)));
            (state, length) = next < 0 ? (SuffixAutomaton.Root, 0) : (next, length + 1);
            _met[state] = Math.Max(_met[state], length);
        }
    }

    /// <summary>Starts over with another corpus.</summary>
    public void Forget() => Array.Clear(_met);

    /// <summary>For each text, words in the longest run shared with what was read so far.</summary>
    public int[] Longest()
    {
        int[] byLength = [.. Enumerable.Range(1, _automaton.States - 1).OrderBy(_automaton.LengthOf)];
        var met = (int[])_met.Clone();
        for (int i = byLength.Length - 1; i >= 0; i--)
        {
            int link = _automaton.LinkOf(byLength[i]);
            if (met[byLength[i]] > 0)
                met[link] = _automaton.LengthOf(link);
        }

        // A string that ends where a prefix ends is the prefix's state's, or that of a state along its links.
        foreach (int state in byLength)
        {
            if (met[state] == 0)
                met[state] = met[_automaton.LinkOf(state)];
        }

        return [.. _texts.Select(text =>
        {
            int state = SuffixAutomaton.Root, longest = 0;
            foreach (int word in text)
            {
                state = _automaton.Next(state, word);
                longest = Math.Max(longest, met[state]);
            }

            return longest;
        })];
    }
}

/// <summary>How much of a set of texts is copied.</summary>
/// <param name="Share">Share of the texts whose longest shared run has at least the threshold's words.</param>
/// <param name="MedianRun">Median over the texts of the longest shared run, words.</param>
/// <param name="LongestRun">The longest of all, words.</param>
public sealed record CopyShare(double Share, int MedianRun, int LongestRun)
{
    /// <param name="runs">Of <see cref="CopiedRuns.Longest"/>, at least one.</param>
    /// <param name="threshold">Words from which a run is a copy, at least 1.</param>
    public static CopyShare Of(IReadOnlyCollection<int> runs, int threshold)
    {
        ArgumentNullException.ThrowIfNull(runs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threshold);
        if (runs.Count == 0)
            throw new ArgumentException("runs must hold at least one, got none", nameof(runs));
        int[] sorted = [.. runs.Order()];
        return new CopyShare((double)sorted.Count(r => r >= threshold) / sorted.Length, sorted[(sorted.Length - 1) / 2], sorted[^1]);
    }
}
