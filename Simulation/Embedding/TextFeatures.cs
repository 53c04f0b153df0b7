using System.Globalization;

namespace Chorus.Simulation.Embedding;

/// <summary>
/// The hashed features of a text: words, pairs of neighbouring words, and character 3- to 5-grams of each word with its
/// edges marked.
/// </summary>
/// <remarks>
/// A word is a run of letters, marks and digits, lower-cased invariantly one character at a time; any other character but
/// white space is a word of its own, without n-grams: punctuation tells styles apart. A hash is 64-bit FNV-1a over UTF-16
/// units, opened by the kind of feature and closed by SplitMix64's finaliser (FNV's own high bits mix poorly on short
/// input). A bucket is the hash's top bits.
/// </remarks>
internal static class TextFeatures
{
    public const int BucketBits = 18;
    public const int Buckets = 1 << BucketBits;

    private const ulong FnvOffset = 14695981039346656037;
    private const ulong FnvPrime = 1099511628211;
    private const int ShortestNgram = 3;
    private const int LongestNgram = 5;
    private const char Edge = '\u0001';

    /// <summary>Appends the bucket of every feature, repeats included, in the order of the text.</summary>
    public static void Collect(ReadOnlySpan<char> text, List<int> buckets)
    {
        ulong previous = 0;
        bool hasPrevious = false;
        int at = 0;
        while (at < text.Length)
        {
            if (char.IsWhiteSpace(text[at]))
            {
                at++;
                continue;
            }

            int start = at++;
            bool isWord = IsWordPart(text[start]);
            while (isWord && at < text.Length && IsWordPart(text[at]))
                at++;
            ReadOnlySpan<char> word = text[start..at];
            ulong hash = Step(FnvOffset, 'w');
            foreach (char c in word)
                hash = Step(hash, char.ToLowerInvariant(c));
            hash = Mix(hash);
            buckets.Add(Bucket(hash));
            if (hasPrevious)
                buckets.Add(Bucket(Mix((previous * FnvPrime) ^ hash)));
            if (isWord)
                CollectNgrams(word, buckets);
            (previous, hasPrevious) = (hash, true);
        }
    }

    /// <summary>SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection in which each bit of x moves half of the output.</summary>
    public static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    private static void CollectNgrams(ReadOnlySpan<char> word, List<int> buckets)
    {
        int length = word.Length + 2;
        for (int start = 0; start <= length - ShortestNgram; start++)
        {
            ulong hash = Step(FnvOffset, 'c');
            int end = Math.Min(start + LongestNgram, length);
            for (int i = start; i < end; i++)
            {
                hash = Step(hash, i == 0 || i == length - 1 ? Edge : char.ToLowerInvariant(word[i - 1]));
                if (i - start >= ShortestNgram - 1)
                    buckets.Add(Bucket(Mix(hash)));
            }
        }
    }

    private static int Bucket(ulong hash) => (int)(hash >> (64 - BucketBits));

    private static ulong Step(ulong hash, char c) => (hash ^ c) * FnvPrime;

    // Surrogates count as letters, so that a pair is never torn into two words.
    private static bool IsWordPart(char c) => char.IsLetterOrDigit(c) || char.IsSurrogate(c)
        || CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
}
