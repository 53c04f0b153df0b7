using System.Buffers.Binary;
using System.Numerics;

namespace Chorus.Simulation.Privacy;

/// <summary>Exact discrete draws from a source of random bytes, read in pieces of 2048. Not thread-safe.</summary>
internal sealed class RandomBits(IRandomSource source)
{
    private readonly byte[] _buffer = new byte[2048];
    private int _used = 2048;

    public ulong NextUInt64()
    {
        if (_used == _buffer.Length)
        {
            source.Fill(_buffer);
            _used = 0;
        }

        ulong word = BinaryPrimitives.ReadUInt64LittleEndian(_buffer.AsSpan(_used));
        _used += sizeof(ulong);
        return word;
    }

    /// <summary>Uniform on [0, bound), bound at least 1: words cut to the bound's bits, those at or past it thrown away.</summary>
    public ulong Below(ulong bound)
    {
        int spare = BitOperations.LeadingZeroCount(bound - 1);
        if (spare == 64)
            return 0;
        while (true)
        {
            ulong word = NextUInt64() >> spare;
            if (word < bound)
                return word;
        }
    }

    /// <summary>Distinct integers of [0, bound), every ordered choice equally likely.</summary>
    public int[] Distinct(int bound, int count)
    {
        // The first `count` steps of a Fisher-Yates shuffle. Only displaced places are kept: the work is that of the choice.
        var displaced = new Dictionary<int, int>(2 * Math.Min(count, bound));
        var chosen = new int[count];
        for (int i = 0; i < count; i++)
        {
            int j = i + (int)Below((ulong)(bound - i));
            chosen[i] = displaced.GetValueOrDefault(j, j);
            displaced[j] = displaced.GetValueOrDefault(i, i);
        }

        return chosen;
    }
}
