using System.Buffers.Binary;
using System.Globalization;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Runs;

/// <summary>Independent seeds from the run's one seed, by purpose and round.</summary>
public static class Seeds
{
    public static ulong Derive(ulong seed, string purpose, int round)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        new SeededRandomSource(seed, string.Create(CultureInfo.InvariantCulture, $"{purpose}/{round}")).Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }
}
