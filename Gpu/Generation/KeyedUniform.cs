namespace Chorus.Gpu.Generation;

/// <summary>Uniform numbers by key: the same (seed, prompt, sample, step) gives the same number in any order and batch.</summary>
/// <remarks>SplitMix64's finalizer (Steele, Lea, Flood 2014) applied after each part of the key is added with an odd multiplier of its own.</remarks>
public static class KeyedUniform
{
    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    public static double At(ulong seed, int prompt, int sample, int step) => (Bits(seed, prompt, sample, step) >> 11) * (1.0 / (1UL << 53));

    /// <summary>64 bits for a key.</summary>
    public static ulong Bits(ulong seed, int prompt, int sample, int step)
    {
        unchecked
        {
            ulong state = Mix(seed + 0x9E3779B97F4A7C15);
            state = Mix(state + 0xBF58476D1CE4E5B9 * ((ulong)(uint)prompt + 1));
            state = Mix(state + 0x94D049BB133111EB * ((ulong)(uint)sample + 1));
            return Mix(state + 0xD1342543DE82EF95 * ((ulong)(uint)step + 1));
        }
    }

    /// <summary>An independent seed for a named purpose, such as one round or one shuffle.</summary>
    public static ulong Derive(ulong seed, int purpose) => Bits(seed, purpose, -1, -1);

    /// <summary>The numbers 0..count-1 in an order drawn from <paramref name="seed"/> (Fisher-Yates).</summary>
    public static int[] Permutation(int count, ulong seed)
    {
        var order = Enumerable.Range(0, count).ToArray();
        for (int i = count - 1; i > 0; i--)
        {
            int j = (int)Math.BigMul(Bits(seed, i, 0, -1), (ulong)i + 1, out _);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    private static ulong Mix(ulong z)
    {
        unchecked
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
