using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Chorus.Simulation.Aggregation;

/// <summary>An immutable set of client indices [0, population): who was sampled, or whom a partial sum has counted.</summary>
/// <remarks>
/// A bitmap cut to the 64-client words in use, so that a block of a thousand clients costs about 130 bytes in a
/// population of a million. The cut is canonical: equal sets of one population have equal bytes and hashes, and the same
/// indices in another population have others.
/// </remarks>
public sealed class ClientSet : IEquatable<ClientSet>
{
    private const int HeaderBytes = 24;
    private const uint Version = 1;

    private readonly int _firstWord;
    private readonly ulong[] _words;   // first and last are not zero, or there are none
    private readonly Lazy<string> _sha256;

    private ClientSet(int population, int firstWord, ReadOnlySpan<ulong> words)
    {
        int start = 0, end = words.Length;
        while (start < end && words[start] == 0)
            start++;
        while (end > start && words[end - 1] == 0)
            end--;
        Population = population;
        _words = words[start..end].ToArray();
        _firstWord = _words.Length == 0 ? 0 : firstWord + start;
        foreach (ulong word in _words)
            Count += BitOperations.PopCount(word);
        _sha256 = new Lazy<string>(() => Convert.ToHexStringLower(SHA256.HashData(ToBytes())));
    }

    /// <summary>How many clients there are to choose from.</summary>
    public int Population { get; }

    /// <summary>How many clients are in the set.</summary>
    public int Count { get; }

    /// <summary>SHA-256 of <see cref="ToBytes"/>, lower-case hex.</summary>
    public string Sha256 => _sha256.Value;

    /// <summary>No client of a population.</summary>
    public static ClientSet Empty(int population) => new(RequirePopulation(population), 0, []);

    /// <summary>Every client of a population.</summary>
    public static ClientSet All(int population) => Range(population, 0, population);

    /// <summary>The clients [first, first + count).</summary>
    public static ClientSet Range(int population, int first, int count)
    {
        RequirePopulation(population);
        if (first < 0 || count < 0 || first > population - count)
            throw new ArgumentOutOfRangeException(nameof(first), $"clients [first, first + count) must lie in [0, {population}), got first {first}, count {count}");
        return Of(population, Enumerable.Range(first, count));
    }

    /// <summary>The given clients, in any order.</summary>
    /// <exception cref="ArgumentException">An index is outside [0, population) or given twice.</exception>
    public static ClientSet Of(int population, IEnumerable<int> clients)
    {
        ArgumentNullException.ThrowIfNull(clients);
        var words = new ulong[WordsIn(RequirePopulation(population))];
        foreach (int client in clients)
        {
            if ((uint)client >= (uint)population)
                throw new ArgumentException($"client must be in [0, {population}), got {client}");
            ulong bit = 1UL << (client & 63);
            if ((words[client >> 6] & bit) != 0)
                throw new ArgumentException($"client {client} is given twice");
            words[client >> 6] |= bit;
        }

        return new ClientSet(population, 0, words);
    }

    /// <summary>The clients marked true; the population is the span's length.</summary>
    public static ClientSet Of(ReadOnlySpan<bool> marked)
    {
        var words = new ulong[WordsIn(RequirePopulation(marked.Length))];
        for (int client = 0; client < marked.Length; client++)
        {
            if (marked[client])
                words[client >> 6] |= 1UL << (client & 63);
        }

        return new ClientSet(marked.Length, 0, words);
    }

    public bool Contains(int client)
    {
        int word = (client >> 6) - _firstWord;
        return client >= 0 && (uint)word < (uint)_words.Length && (_words[word] >> (client & 63) & 1) != 0;
    }

    /// <summary>The clients in rising order.</summary>
    public IEnumerable<int> Members()
    {
        for (int i = 0; i < _words.Length; i++)
        {
            for (ulong rest = _words[i]; rest != 0; rest &= rest - 1)
                yield return ((_firstWord + i) << 6) + BitOperations.TrailingZeroCount(rest);
        }
    }

    /// <summary>True when a client is in both sets.</summary>
    public bool Overlaps(ClientSet other) => FirstInBoth(RequireSamePopulation(other)) >= 0;

    /// <summary>The clients of both sets, which must be disjoint: nobody is counted twice.</summary>
    /// <exception cref="ArgumentException">A client is in both, or the populations differ.</exception>
    public ClientSet Union(ClientSet other)
    {
        int shared = FirstInBoth(RequireSamePopulation(other));
        if (shared >= 0)
            throw new ArgumentException($"the sets must be disjoint, client {shared} is in both");
        if (_words.Length == 0)
            return other;
        if (other._words.Length == 0)
            return this;
        int first = Math.Min(_firstWord, other._firstWord);
        var words = new ulong[Math.Max(End, other.End) - first];
        _words.CopyTo(words, _firstWord - first);
        for (int i = 0; i < other._words.Length; i++)
            words[other._firstWord - first + i] |= other._words[i];
        return new ClientSet(Population, first, words);
    }

    /// <summary>The clients of both sets.</summary>
    public ClientSet Intersect(ClientSet other)
    {
        RequireSamePopulation(other);
        var words = new ulong[_words.Length];
        for (int i = 0; i < words.Length; i++)
            words[i] = _words[i] & other.WordAt(_firstWord + i);
        return new ClientSet(Population, _firstWord, words);
    }

    /// <summary>The clients of this set that are not in the other.</summary>
    public ClientSet Except(ClientSet other)
    {
        RequireSamePopulation(other);
        var words = new ulong[_words.Length];
        for (int i = 0; i < words.Length; i++)
            words[i] = _words[i] & ~other.WordAt(_firstWord + i);
        return new ClientSet(Population, _firstWord, words);
    }

    /// <summary>
    /// Canonical bytes, all little-endian: "CHCS", version, population, count, first word and words (int32 each), then
    /// the words (uint64), bit b of word w being client 64 w + b.
    /// </summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[HeaderBytes + (_words.Length * sizeof(ulong))];
        "CHCS"u8.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Population);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), Count);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), _firstWord);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(20), _words.Length);
        for (int i = 0; i < _words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(HeaderBytes + (i * sizeof(ulong))), _words[i]);
        return bytes;
    }

    /// <summary>Reads <see cref="ToBytes"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes are not those that ToBytes writes for some set.</exception>
    public static ClientSet FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderBytes || !bytes[..4].SequenceEqual("CHCS"u8))
            throw new InvalidDataException("a client set must open with CHCS and a header of 24 bytes");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        if (version != Version)
            throw new InvalidDataException($"client set version must be {Version}, got {version}");
        int population = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        int count = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        int firstWord = BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]);
        int wordCount = BinaryPrimitives.ReadInt32LittleEndian(bytes[20..]);
        if (population < 0)
            throw new InvalidDataException($"population must be at least 0, got {population}");
        if (firstWord < 0 || wordCount < 0 || firstWord > WordsIn(population) - wordCount)
            throw new InvalidDataException($"words [{firstWord}, {firstWord} + {wordCount}) must lie in [0, {WordsIn(population)})");
        if (bytes.Length != HeaderBytes + ((long)wordCount * sizeof(ulong)))
            throw new InvalidDataException($"{wordCount} words need {HeaderBytes + ((long)wordCount * sizeof(ulong))} bytes, got {bytes.Length}");

        var words = new ulong[wordCount];
        for (int i = 0; i < wordCount; i++)
            words[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(HeaderBytes + (i * sizeof(ulong)))..]);
        int beyond = ((firstWord + wordCount) << 6) - population;
        if (wordCount > 0 && beyond > 0 && words[^1] >> (64 - beyond) != 0)
            throw new InvalidDataException($"a client at or past the population {population} is in the set");
        var set = new ClientSet(population, firstWord, words);
        if (set._words.Length != wordCount || set._firstWord != firstWord)
            throw new InvalidDataException("the first and last words of a client set must not be empty");
        if (set.Count != count)
            throw new InvalidDataException($"the header counts {count} clients, the words hold {set.Count}");
        return set;
    }

    public bool Equals(ClientSet? other) =>
        other is not null && Population == other.Population && _firstWord == other._firstWord && _words.AsSpan().SequenceEqual(other._words);

    public override bool Equals(object? obj) => Equals(obj as ClientSet);

    public override int GetHashCode() => HashCode.Combine(Population, Count, _firstWord);

    public override string ToString() => $"{Count} of {Population} clients";

    private int End => _firstWord + _words.Length;

    private ulong WordAt(int word) => (uint)(word - _firstWord) < (uint)_words.Length ? _words[word - _firstWord] : 0;

    private int FirstInBoth(ClientSet other)
    {
        for (int word = Math.Max(_firstWord, other._firstWord); word < Math.Min(End, other.End); word++)
        {
            ulong both = WordAt(word) & other.WordAt(word);
            if (both != 0)
                return (word << 6) + BitOperations.TrailingZeroCount(both);
        }

        return -1;
    }

    private ClientSet RequireSamePopulation(ClientSet other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Population != Population)
            throw new ArgumentException($"both sets must be of one population, got {Population} and {other.Population}");
        return other;
    }

    private static int RequirePopulation(int population)
    {
        if (population < 0)
            throw new ArgumentOutOfRangeException(nameof(population), $"population must be at least 0, got {population}");
        return population;
    }

    private static int WordsIn(int population) => (int)(((long)population + 63) >> 6);
}
