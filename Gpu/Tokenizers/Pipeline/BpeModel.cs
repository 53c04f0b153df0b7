using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>Byte-pair encoding (Sennrich et al., arXiv:1508.07909): of a word's adjacent pairs the one of lowest rank is merged, the leftmost first, until none is left.</summary>
/// <remarks>
/// Microsoft.ML.Tokenizers' BpeTokenizer merges alike, and <see cref="ByteLevelBpeTokenizer"/> uses it. It lacks what
/// published files ask for: words that are tokens taken whole (ignore_merges), byte fallback with fused unknowns, and
/// splitting by characters beyond U+FFFF.
/// </remarks>
internal sealed class BpeModel : WordModel
{
    private const int CachedWords = 1 << 15;
    private const int LongestCached = 64; // UTF-16 units: longer words rarely come again
    private const int ScanUpTo = 64; // symbols: below, looking through all pairs is faster than a queue

    private readonly Dictionary<ulong, (int Rank, int Id)> _merges;
    private readonly bool _byteLevel;
    private readonly int[] _bytes = new int[256]; // of the alphabet's characters, or of <0x00> and so on; -1 is none
    private readonly bool _byteFallback;
    private readonly int? _unknown;
    private readonly bool _fuseUnknown;
    private readonly bool _wholeWords;
    private readonly string _continuing;
    private readonly string _suffix;

    private volatile ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private int _cached;

    private BpeModel(Vocabulary vocabulary, Dictionary<ulong, (int, int)> merges, BpeSettings settings, bool byteLevel, string at) : base(vocabulary)
    {
        (_merges, _byteLevel, _byteFallback, _fuseUnknown, _wholeWords) = (merges, byteLevel, settings.ByteFallback, settings.FuseUnknown, settings.WholeWords);
        (_continuing, _suffix) = (settings.Continuing, settings.Suffix);
        if (settings.Unknown is { } unknown)
            _unknown = vocabulary.Find(unknown) ?? throw new InvalidDataException($"{at}: the vocabulary must hold the unknown token \"{unknown}\"");
        for (var b = 0; b < 256; b++)
        {
            var token = byteLevel ? ByteAlphabet.Encode([(byte)b]) : $"<0x{b.ToString("X2", CultureInfo.InvariantCulture)}>";
            _bytes[b] = vocabulary.Find(token) ?? -1;
        }
    }

    /// <param name="Unknown">Stands for a character that is no token; null: the character is dropped, as Hugging Face's tokenizers do.</param>
    /// <param name="FuseUnknown">Neighbouring unknown characters are one token.</param>
    /// <param name="ByteFallback">A character that is no token is taken as its UTF-8 bytes.</param>
    /// <param name="WholeWords">A word that is a token is taken whole, whatever the merges say ("ignore_merges").</param>
    /// <param name="Continuing">Before every character but a word's first.</param>
    /// <param name="Suffix">After a word's last character.</param>
    internal sealed record BpeSettings(string? Unknown, bool FuseUnknown, bool ByteFallback, bool WholeWords, string Continuing, string Suffix)
    {
        internal static BpeSettings Plain { get; } = new(null, false, false, false, "", "");
    }

    internal static BpeModel FromJson(ComponentJson json, bool byteLevel)
    {
        if (json.Has("dropout") && json.Json.GetProperty("dropout") is { ValueKind: JsonValueKind.Number } dropout && dropout.GetDouble() != 0)
            throw json.Wrong($"dropout {dropout.GetRawText()} would give other ids each time; set it to null");
        var settings = new BpeSettings(
            json.Text("unk_token"), json.Flag("fuse_unk", false), json.Flag("byte_fallback", false), json.Flag("ignore_merges", false),
            json.Text("continuing_subword_prefix") ?? "", json.Text("end_of_word_suffix") ?? "");
        if (byteLevel && (settings.Continuing.Length > 0 || settings.Suffix.Length > 0))
            throw json.Wrong("continuing_subword_prefix and end_of_word_suffix are not supported after a ByteLevel pre_tokenizer");
        var merges = json.Children("merges").Select(m => m.Json.ValueKind switch
        {
            JsonValueKind.String => SplitMerge(m.Json.GetString()!, m.At),
            JsonValueKind.Array when m.Json.GetArrayLength() == 2 => (m.Json[0].GetString()!, m.Json[1].GetString()!),
            _ => throw m.Wrong($"a merge must have two parts, found {m.Json.GetRawText()}"),
        });
        return Create(ReadVocabulary(json), merges, settings, byteLevel, json.At);
    }

    internal static BpeModel Create(Vocabulary vocabulary, IEnumerable<(string Left, string Right)> merges, BpeSettings settings, bool byteLevel, string at)
    {
        var table = new Dictionary<ulong, (int, int)>();
        var rank = 0;
        foreach (var (left, right) in merges)
        {
            var made = right.StartsWith(settings.Continuing, StringComparison.Ordinal) ? left + right[settings.Continuing.Length..] : left + right;
            // A pair that comes twice counts where it came last, as in Hugging Face's table.
            table[Pair(Id(left), Id(right))] = (rank++, Id(made));
        }
        return new BpeModel(vocabulary, table, settings, byteLevel, at);

        int Id(string token) => vocabulary.Find(token) ?? throw new InvalidDataException($"{at}: merge {rank} needs the token \"{token}\", which the vocabulary lacks");
    }

    /// <summary>"a b" to its two parts.</summary>
    internal static (string Left, string Right) SplitMerge(string line, string at)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && space < line.Length - 1 && line.IndexOf(' ', space + 1) < 0
            ? (line[..space], line[(space + 1)..])
            : throw new InvalidDataException($"{at}: a merge must be two tokens with a space between, found \"{line}\"");
    }

    internal override void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > LongestCached)
        {
            ids.AddRange(EncodeAnew(word));
            return;
        }
        var cache = _cache;
        if (cache.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(word, out var known))
        {
            ids.AddRange(known.AsSpan());
            return;
        }
        var made = EncodeAnew(word);
        // A full cache begins anew rather than keep the words of the first text for ever.
        if (Interlocked.Increment(ref _cached) > CachedWords)
        {
            _cache = cache = new(StringComparer.Ordinal);
            _cached = 0;
        }
        cache[word.ToString()] = made;
        ids.AddRange(made);
    }

    private int[] EncodeAnew(ReadOnlySpan<char> word)
    {
        var symbols = new List<int>(word.Length + 8);
        if (_byteLevel)
        {
            var bytes = new byte[Encoding.UTF8.GetMaxByteCount(word.Length)];
            var utf8 = bytes.AsSpan(0, Encoding.UTF8.GetBytes(word, bytes));
            if (_wholeWords && Vocabulary.TryGetId(ByteAlphabet.Encode(utf8), out var whole))
                return [whole];
            AddBytes(utf8, symbols);
        }
        else
        {
            if (_wholeWords && Vocabulary.TryGetId(word, out var whole))
                return [whole];
            AddCharacters(word, symbols);
        }
        var count = symbols.Count <= ScanUpTo ? MergeByScan(CollectionsMarshal.AsSpan(symbols)) : MergeByQueue(CollectionsMarshal.AsSpan(symbols));
        return [.. CollectionsMarshal.AsSpan(symbols)[..count]];
    }

    private void AddBytes(ReadOnlySpan<byte> utf8, List<int> symbols)
    {
        var unknown = false; // the symbol before is an unknown one
        foreach (var b in utf8)
            Add(_bytes[b], symbols, ref unknown);
    }

    private void AddCharacters(ReadOnlySpan<char> word, List<int> symbols)
    {
        var unknown = false;
        for (var at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out _, out var length);
            var symbol = word.Slice(at, length);
            if (_continuing.Length > 0 && at > 0)
                symbol = string.Concat(_continuing, symbol);
            at += length;
            if (_suffix.Length > 0 && at == word.Length)
                symbol = string.Concat(symbol, _suffix);
            if (Vocabulary.TryGetId(symbol, out var id))
                Add(id, symbols, ref unknown);
            else if (!_byteFallback || !TryAddBytes(symbol, symbols))
                Add(-1, symbols, ref unknown);
        }
    }

    // All of a symbol's bytes or none.
    private bool TryAddBytes(ReadOnlySpan<char> symbol, List<int> symbols)
    {
        var utf8 = new byte[Encoding.UTF8.GetByteCount(symbol)];
        Encoding.UTF8.GetBytes(symbol, utf8);
        if (!Array.TrueForAll(utf8, b => _bytes[b] >= 0))
            return false;
        foreach (var b in utf8)
            symbols.Add(_bytes[b]);
        return true;
    }

    private void Add(int id, List<int> symbols, ref bool unknown)
    {
        if (id >= 0)
        {
            symbols.Add(id);
            unknown = false;
        }
        else if (_unknown is { } token)
        {
            if (!unknown || !_fuseUnknown)
                symbols.Add(token);
            unknown = true;
        }
    }

    // Merges in place and gives the new count. Time grows with the square of the length: for short words only.
    private int MergeByScan(Span<int> symbols)
    {
        if (symbols.Length < 2)
            return symbols.Length;
        const int none = int.MaxValue;
        Span<int> ranks = stackalloc int[ScanUpTo];
        Span<int> made = stackalloc int[ScanUpTo];
        var count = symbols.Length;
        for (var i = 0; i + 1 < count; i++)
            Look(symbols, i, ranks, made);
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best])
                    best = i;
            }
            if (ranks[best] == none)
                break;
            symbols[best] = made[best];
            count--;
            for (var i = best + 1; i < count; i++)
                (symbols[i], ranks[i], made[i]) = (symbols[i + 1], ranks[i + 1], made[i + 1]);
            if (best + 1 < count)
                Look(symbols, best, ranks, made);
            if (best > 0)
                Look(symbols, best - 1, ranks, made);
        }
        return count;

        void Look(Span<int> symbols, int i, Span<int> ranks, Span<int> made) =>
            (ranks[i], made[i]) = _merges.TryGetValue(Pair(symbols[i], symbols[i + 1]), out var merge) ? merge : (none, 0);
    }

    // The same with a queue of pairs over a linked list: n log n. A text without pre-tokenisation is one long word.
    private int MergeByQueue(Span<int> symbols)
    {
        var length = symbols.Length;
        var next = new int[length];
        var previous = new int[length];
        var queue = new PriorityQueue<(int At, ulong Pair, int Made), (int Rank, int At)>(length);
        for (var i = 0; i < length; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1 < length ? i + 1 : -1);
            if (i + 1 < length)
                Queue(symbols, i, i + 1, queue);
        }
        const int gone = -1;
        while (queue.TryDequeue(out var entry, out _))
        {
            var (at, pair, made) = entry;
            // Entries are not taken out when one of their symbols is merged away.
            if (symbols[at] == gone || next[at] < 0 || Pair(symbols[at], symbols[next[at]]) != pair)
                continue;
            var right = next[at];
            (symbols[at], symbols[right]) = (made, gone);
            next[at] = next[right];
            if (next[at] >= 0)
            {
                previous[next[at]] = at;
                Queue(symbols, at, next[at], queue);
            }
            if (previous[at] >= 0)
                Queue(symbols, previous[at], at, queue);
        }
        var count = 0;
        foreach (var symbol in symbols)
        {
            if (symbol != gone)
                symbols[count++] = symbol;
        }
        return count;
    }

    private void Queue(Span<int> symbols, int left, int right, PriorityQueue<(int, ulong, int), (int, int)> queue)
    {
        var pair = Pair(symbols[left], symbols[right]);
        if (_merges.TryGetValue(pair, out var merge))
            queue.Enqueue((left, pair, merge.Id), (merge.Rank, left));
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
