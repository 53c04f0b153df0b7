namespace Chorus.Gpu.Training;

/// <summary>Orders that a seed alone decides, the same on every machine and version of .NET (SplitMix64; Steele, Lea, Flood 2014).</summary>
internal sealed class SeededShuffle(ulong seed, ulong stream)
{
    // Seed and stream are mixed apart, so that the streams of one seed do not overlap those of the next.
    private ulong _state = Mix(seed) ^ Mix(stream * 0xD1342543DE82EF95 + 0x2545F4914F6CDD1D);

    /// <summary>0 to count - 1, each order equally likely (Fisher and Yates).</summary>
    internal int[] Order(int count)
    {
        var order = Enumerable.Range(0, count).ToArray();
        for (var i = count - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    private int Below(int bound)
    {
        // The high word of a product is uniform but for a bias of bound / 2^64, which no test could see.
        return (int)Math.BigMul(Next(), (ulong)bound, out _);
    }

    private ulong Next() => Mix(_state += 0x9E3779B97F4A7C15);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
