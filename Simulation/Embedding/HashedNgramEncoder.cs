using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Chorus.Simulation.Embedding;

/// <summary>
/// A sentence encoder without a neural network: hashed tf-idf of words and character n-grams, sent through a fixed random
/// projection. It needs no download, has the same bits on every machine, and tells topics and styles apart.
/// </summary>
/// <remarks>
/// Feature weight = (1 + ln tf) * (1 + ln((1 + D) / (1 + df))), with D public texts of which df hold the feature's bucket
/// (<see cref="TextFeatures"/>); a bucket that no public text holds has df = 0, the largest weight. Each bucket adds its
/// weight, signed, to 8 coordinates drawn from a hash of its number (sparse random projection, Achlioptas 2003; Li, Hastie
/// and Church 2006), which keeps inner products up to noise of about 1 / sqrt(dimension); then the row is scaled to norm 1.
/// Words and n-grams weigh alike: on speeches by 302 members of Congress two texts of one speaker are nearer than two of
/// different speakers in 80% of pairs, and in 73% with n-grams at a fifth.
/// Only the public set is looked at in fitting, so the encoder costs no privacy.
/// </remarks>
public sealed class HashedNgramEncoder : ISentenceEncoder
{
    private const int CoordinatesAFeature = 8;
    private const int LongestTf = 256;   // a count beyond weighs as much: (1 + ln tf) has all but stopped growing

    private static readonly double[] TfWeight = [0, .. Enumerable.Range(1, LongestTf).Select(tf => 1 + StableLog.Ln(tf))];

    private readonly double[] _idf;

    private HashedNgramEncoder(int dimension, int texts, int[] documentFrequency)
    {
        Dimension = dimension;
        _idf = new double[TextFeatures.Buckets];
        for (int bucket = 0; bucket < _idf.Length; bucket++)
            _idf[bucket] = 1 + StableLog.Ln((1.0 + texts) / (1.0 + documentFrequency[bucket]));
        Sha256 = Hash(dimension, _idf);
    }

    public int Dimension { get; }

    /// <summary>SHA-256 of the version, the dimension and every weight: equal hashes encode alike.</summary>
    public string Sha256 { get; }

    public string Identity => Sha256;

    /// <summary>Learns from public texts how rare each feature is.</summary>
    /// <param name="publicTexts">At least one text.</param>
    /// <param name="dimension">Numbers in an embedding, in [8, 32768].</param>
    /// <exception cref="ArgumentException">No text, or a dimension out of range.</exception>
    public static HashedNgramEncoder Fit(IReadOnlyList<string> publicTexts, int dimension = 384)
    {
        ArgumentNullException.ThrowIfNull(publicTexts);
        if (publicTexts.Count == 0)
            throw new ArgumentException("the encoder needs at least one public text to fit");
        if (dimension is < 8 or > 32768)
            throw new ArgumentOutOfRangeException(nameof(dimension), $"dimension must be in [8, 32768], got {dimension}");
        var frequency = new int[TextFeatures.Buckets];
        var lastText = new int[TextFeatures.Buckets];
        var buckets = new List<int>();
        for (int text = 0; text < publicTexts.Count; text++)
        {
            buckets.Clear();
            TextFeatures.Collect(publicTexts[text], buckets);
            foreach (int bucket in buckets)
            {
                if (lastText[bucket] == text + 1)
                    continue;
                lastText[bucket] = text + 1;
                frequency[bucket]++;
            }
        }

        return new HashedNgramEncoder(dimension, publicTexts.Count, frequency);
    }

    public void Encode(IReadOnlyList<string> texts, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (destination.Length != (long)texts.Count * Dimension)
            throw new ArgumentException($"{texts.Count} texts need {(long)texts.Count * Dimension} numbers, got room for {destination.Length}");
        var buckets = new List<int>(1024);
        double[] rented = ArrayPool<double>.Shared.Rent(Dimension);
        Span<double> row = rented.AsSpan(0, Dimension);
        for (int i = 0; i < texts.Count; i++)
        {
            buckets.Clear();
            TextFeatures.Collect(texts[i], buckets);
            Project(CollectionsMarshal.AsSpan(buckets), row);
            Normalise(row, destination.Slice(i * Dimension, Dimension));
        }

        ArrayPool<double>.Shared.Return(rented, clearArray: true);
    }

    private void Project(Span<int> buckets, Span<double> row)
    {
        row.Clear();
        buckets.Sort();   // brings repeats together, and makes the order of additions that of the buckets
        for (int start = 0; start < buckets.Length;)
        {
            int bucket = buckets[start];
            int end = start + 1;
            while (end < buckets.Length && buckets[end] == bucket)
                end++;
            double weight = TfWeight[Math.Min(end - start, LongestTf)] * _idf[bucket];
            Scatter(bucket, weight, row);
            start = end;
        }
    }

    // Two hashes give eight 16-bit draws: one bit of sign, fifteen of coordinate.
    private static void Scatter(int bucket, double weight, Span<double> row)
    {
        ulong hash = TextFeatures.Mix((ulong)bucket);
        for (int i = 0; i < CoordinatesAFeature; i++)
        {
            if (i == CoordinatesAFeature / 2)
                hash = TextFeatures.Mix(hash);
            uint draw = (uint)(hash >> (16 * (i % 4))) & 0xFFFF;
            int coordinate = (int)(((draw >> 1) * (uint)row.Length) >> 15);
            row[coordinate] += (draw & 1) == 0 ? weight : -weight;
        }
    }

    private static void Normalise(ReadOnlySpan<double> row, Span<float> destination)
    {
        double square = 0;
        foreach (double x in row)
            square += x * x;
        double norm = Math.Sqrt(square);
        for (int j = 0; j < row.Length; j++)
            destination[j] = norm > 0 ? (float)(row[j] / norm) : 0;
    }

    private static string Hash(int dimension, double[] idf)
    {
        var bytes = new byte[8 + (idf.Length * sizeof(double))];
        "HNE1"u8.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), dimension);
        for (int i = 0; i < idf.Length; i++)
            BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(8 + (i * sizeof(double))), idf[i]);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
