namespace Chorus.Gpu.DpSgd;

/// <summary>Standard normal draws that key, step, parameter and element alone decide, whatever the order, chunks or threads.</summary>
/// <remarks>
/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011) and Box-Muller. Element e of a parameter, row-major, is draw e mod 4 of
/// block n = e / 4. The block's four words are Philox of counter (n mod 2^32, n / 2^32, step, parameter) under the key (low, high half);
/// n is below 2^63. Words 0 and 1 make draws 0 and 1, words 2 and 3 make draws 2 and 3:
/// <code>
/// u = (r + 1/2) 2^-32 of the even word r;   radius = sqrt(-2 ln u)
/// v = (a + 1/2) 2^-31 of the odd word a;     draws: radius cos(pi v), radius sin(pi v)
/// </code>
/// all rounded to float32 once an operation. Where r is below 2^16, u is refined to (r + (r' + 1/2) 2^-32) 2^-32, r' being the same word
/// of a second Philox block, whose counter has the top bit of its second word set: else no draw would pass 6.8, and a distribution
/// that ends there is not the one that the accountant counts; so the last is at 9.5, of probability 2e-21.
/// A kernel that uses other library functions for ln, sin and cos gives the same draws to some ulps.
/// Philox is no cipher. It stands between a reader and the noise with 64 bits of key, which come from the operating system's
/// generator unless a run is to be repeated.
/// </remarks>
public static class CounterNoise
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57, Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;
    private const uint RefinedBelow = 1u << 16, SecondBlock = 1u << 31;
    private const float Word = 1f / 4294967296f;

    /// <summary>The draws of elements noise.First + <paramref name="first"/> on.</summary>
    /// <param name="first">At least 0.</param>
    public static void Fill(Span<float> draws, in NoiseDraw noise, long first)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        Span<float> block = stackalloc float[4];
        int done = 0;
        while (done < draws.Length)
        {
            long element = noise.First + first + done;
            int skip = (int)(element & 3), take = Math.Min(4 - skip, draws.Length - done);
            if (take == 4)
            {
                Block(draws.Slice(done, 4), noise, element >> 2);
            }
            else
            {
                Block(block, noise, element >> 2);
                block.Slice(skip, take).CopyTo(draws[done..]);
            }
            done += take;
        }
    }

    private static void Block(Span<float> draws, in NoiseDraw noise, long n)
    {
        var (r0, a0, r1, a1) = Philox((uint)n, (uint)(n >> 32), noise.Step, noise.Parameter, noise.Key);
        float u0 = (r0 + 0.5f) * Word, u1 = (r1 + 0.5f) * Word;
        if (r0 < RefinedBelow || r1 < RefinedBelow)
        {
            var (s0, _, s1, _) = Philox((uint)n, (uint)(n >> 32) | SecondBlock, noise.Step, noise.Parameter, noise.Key);
            if (r0 < RefinedBelow)
                u0 = (r0 + (s0 + 0.5f) * Word) * Word;
            if (r1 < RefinedBelow)
                u1 = (r1 + (s1 + 0.5f) * Word) * Word;
        }
        (draws[0], draws[1]) = Pair(u0, a0);
        (draws[2], draws[3]) = Pair(u1, a1);
    }

    private static (float, float) Pair(float u, uint a)
    {
        float radius = MathF.Sqrt(-2f * MathF.Log(u));
        var (sine, cosine) = float.SinCosPi((a + 0.5f) * (2f * Word));
        return (radius * cosine, radius * sine);
    }

    /// <summary>Ten rounds on the counter.</summary>
    internal static (uint, uint, uint, uint) Philox(uint c0, uint c1, uint c2, uint c3, ulong key)
    {
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)Multiplier0 * c0, p1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }
        return (c0, c1, c2, c3);
    }
}
