using System.Text;
using System.Text.RegularExpressions;

namespace Chorus.Gpu.Tokenizers;

/// <summary>Learns byte-pair merges (Sennrich et al., arXiv:1508.07909) over bytes, as GPT-2 does.</summary>
/// <remarks>
/// The same merges whatever the order of the texts: the most frequent pair is merged first, and of equally frequent pairs the
/// one with the smaller left symbol, then right symbol (bytes in GPT-2's order, then symbols as they were learned). A pair that occurs once is not merged.
/// </remarks>
internal static class BpeTrainer
{
    /// <summary>Learns at most <paramref name="symbols"/> symbols, the 256 bytes included.</summary>
    /// <param name="texts">What to learn from; null texts are refused.</param>
    /// <param name="words">Splits a text into words; no merge crosses a border between words.</param>
    /// <param name="symbols">256 or more.</param>
    /// <param name="ct">Ends the training early.</param>
    /// <returns>The symbols in GPT-2's byte alphabet, the bytes first, and the merges in order of rank.</returns>
    internal static (List<string> Symbols, List<(string Left, string Right)> Merges) Learn(IEnumerable<string> texts, Regex words, int symbols, CancellationToken ct)
    {
        var (split, counts) = CountWords(texts, words, ct);
        var pairs = new PairCounts();
        for (var w = 0; w < split.Count; w++)
        {
            for (var i = 0; i + 1 < split[w].Length; i++)
                pairs.Add(split[w][i], split[w][i + 1], counts[w], w);
        }
        pairs.QueueChanged();

        List<string> names = [.. ByteAlphabet.Ordered.Select(b => ByteAlphabet.Encode([b]))];
        var ids = names.Select((name, id) => (name, id)).ToDictionary(x => x.name, x => x.id, StringComparer.Ordinal);
        var merges = new List<(string, string)>();
        var known = new HashSet<(int, int)>();
        while (names.Count < symbols && pairs.TakeMostFrequent() is { } best)
        {
            ct.ThrowIfCancellationRequested();
            // Two merges can spell one symbol (a + bc and ab + c): both are rules, but the symbol is one. For that reason a pair
            // that was merged away can come up again, and is merged again under its first rank.
            var name = names[best.Left] + names[best.Right];
            if (!ids.TryGetValue(name, out var made))
            {
                ids[name] = made = names.Count;
                names.Add(name);
            }
            if (known.Add((best.Left, best.Right)))
                merges.Add((names[best.Left], names[best.Right]));
            pairs.Remove(best.Left, best.Right);
            foreach (var w in best.Words)
                split[w] = Merge(split[w], best.Left, best.Right, made, counts[w], w, pairs);
            pairs.QueueChanged();
        }
        return (names, merges);
    }

    // Distinct words as ranks of bytes, with how often each occurs. Sums only are made of them, so their order is of no account.
    private static (List<int[]> Symbols, List<long> Counts) CountWords(IEnumerable<string> texts, Regex words, CancellationToken ct)
    {
        var rank = new int[256];
        for (var r = 0; r < 256; r++)
            rank[ByteAlphabet.Ordered[r]] = r;
        var index = new Dictionary<string, int>(StringComparer.Ordinal);
        var lookup = index.GetAlternateLookup<ReadOnlySpan<char>>();
        var symbols = new List<int[]>();
        var counts = new List<long>();
        foreach (var text in texts)
        {
            ct.ThrowIfCancellationRequested();
            var wellFormed = ByteAlphabet.WellFormed(text ?? throw new ArgumentException("texts must not hold null"));
            foreach (var match in words.EnumerateMatches(wellFormed))
            {
                var word = wellFormed.AsSpan(match.Index, match.Length);
                if (!lookup.TryGetValue(word, out var at))
                {
                    lookup[word] = at = symbols.Count;
                    symbols.Add([.. Encoding.UTF8.GetBytes(word.ToString()).Select(b => rank[b])]);
                    counts.Add(0);
                }
                counts[at]++;
            }
        }
        return (symbols, counts);
    }

    // The word with each (left, right), from the left, made one symbol; the pairs around it are counted anew.
    private static int[] Merge(int[] word, int left, int right, int made, long count, int index, PairCounts pairs)
    {
        var merged = new int[word.Length];
        var length = 0;
        for (var i = 0; i < word.Length; i++)
        {
            if (i + 1 < word.Length && word[i] == left && word[i + 1] == right)
            {
                if (length > 0)
                {
                    pairs.Subtract(merged[length - 1], left, count);
                    pairs.Add(merged[length - 1], made, count, index);
                }
                if (i + 2 < word.Length)
                {
                    pairs.Subtract(right, word[i + 2], count);
                    pairs.Add(made, word[i + 2], count, index);
                }
                merged[length++] = made;
                i++;
            }
            else
            {
                merged[length++] = word[i];
            }
        }
        return merged[..length];
    }

    /// <summary>How often each pair occurs, in which words, and which occurs most.</summary>
    private sealed class PairCounts
    {
        private readonly Dictionary<ulong, (long Count, HashSet<int> Words)> _pairs = [];
        private readonly HashSet<ulong> _grown = [];

        // An entry taken out with a count that has fallen since is put back; where the count has grown, a newer entry is there.
        private readonly PriorityQueue<ulong, (long Count, ulong Pair)> _queue = new(Comparer<(long Count, ulong Pair)>.Create(
            (a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count) : a.Pair.CompareTo(b.Pair)));

        internal void Add(int left, int right, long count, int word)
        {
            var pair = Key(left, right);
            if (!_pairs.TryGetValue(pair, out var entry))
                entry = (0, []);
            entry.Words.Add(word);
            _pairs[pair] = (entry.Count + count, entry.Words);
            _grown.Add(pair);
        }

        internal void Subtract(int left, int right, long count)
        {
            var pair = Key(left, right);
            if (_pairs.TryGetValue(pair, out var entry))
                _pairs[pair] = (entry.Count - count, entry.Words);
        }

        internal void Remove(int left, int right) => _pairs.Remove(Key(left, right));

        internal void QueueChanged()
        {
            foreach (var pair in _grown)
            {
                if (_pairs.TryGetValue(pair, out var entry))
                    _queue.Enqueue(pair, (entry.Count, pair));
            }
            _grown.Clear();
        }

        internal (int Left, int Right, HashSet<int> Words)? TakeMostFrequent()
        {
            while (_queue.TryDequeue(out var pair, out var queued))
            {
                if (!_pairs.TryGetValue(pair, out var entry) || entry.Count < 2)
                    continue;
                if (entry.Count == queued.Count)
                    return ((int)(pair >> 32), (int)(pair & uint.MaxValue), entry.Words);
                if (entry.Count < queued.Count)
                    _queue.Enqueue(pair, (entry.Count, pair));
            }
            return null;
        }

        private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
    }
}
