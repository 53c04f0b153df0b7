using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Chorus.Gpu.DpSgd;

/// <summary>How a step's examples are drawn.</summary>
public enum ExampleSampling
{
    /// <summary>Each on its own, with probability batch / examples: the batch's size varies and may be 0.</summary>
    Poisson,

    /// <summary>Exactly the batch's size, without replacement. It costs more privacy than Poisson sampling of the same rate; measurements like its even steps.</summary>
    FixedSize,
}

/// <summary>The secret of a run, from which its draws and its noise follow.</summary>
/// <param name="Bytes">32 bytes of the operating system's generator, or of a seed where the run is to be repeated.</param>
internal sealed record RunSecret(byte[] Bytes)
{
    public static RunSecret New() => new(RandomNumberGenerator.GetBytes(32));

    public static RunSecret FromSeed(ulong seed)
    {
        var text = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(text, seed);
        return new RunSecret(SHA256.HashData([.. "chorus dp-sgd seed 1\0"u8, .. text]));
    }

    /// <summary>A key for one purpose; keys of different purposes tell nothing of each other.</summary>
    public ulong Key(string purpose) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData([.. Bytes, .. Encoding.UTF8.GetBytes(purpose)]));
}

/// <summary>Which examples a step takes: the key and the step alone decide, so a resumed run draws what it would have drawn.</summary>
internal static class ExampleSampler
{
    /// <summary>Ascending indices below <paramref name="count"/>, each with a probability of at most <paramref name="rate"/>, less by under 2^-64.</summary>
    public static IReadOnlyList<int> Poisson(int count, double rate, ulong key, uint step)
    {
        if (rate >= 1)
            return [.. Enumerable.Range(0, count)];
        ulong below = (ulong)Math.ScaleB(rate, 64); // cut downwards, exactly: rate is a double below 1
        var drawn = new List<int>();
        for (int i = 0; i < count; i++)
        {
            if (Word(key, step, (uint)i) < below)
                drawn.Add(i);
        }
        return drawn;
    }

    /// <summary>Exactly <paramref name="size"/> distinct indices below <paramref name="count"/>, ascending.</summary>
    public static IReadOnlyList<int> FixedSize(int count, int size, ulong key, uint step)
    {
        // Fisher and Yates, of which only what moved is kept.
        var moved = new Dictionary<int, int>();
        var drawn = new int[size];
        for (int i = 0; i < size; i++)
        {
            int j = i + (int)Math.BigMul(Word(key, step, (uint)i), (ulong)(count - i), out _);
            drawn[i] = moved.GetValueOrDefault(j, j);
            moved[j] = moved.GetValueOrDefault(i, i);
        }
        Array.Sort(drawn);
        return drawn;
    }

    private static ulong Word(ulong key, uint step, uint index)
    {
        var (a, b, _, _) = CounterNoise.Philox(index, 0, step, 0, key);
        return ((ulong)a << 32) | b;
    }
}
