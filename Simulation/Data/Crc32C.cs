using System.Numerics;
using System.Runtime.InteropServices;

namespace Chorus.Simulation.Data;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4): finds what a disk or a crash has damaged, not what somebody forged.</summary>
internal struct Crc32C()
{
    private uint _crc = uint.MaxValue;

    public readonly uint Value => ~_crc;

    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        var crc = new Crc32C();
        crc.Add(bytes);
        return crc.Value;
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            _crc = BitOperations.Crc32C(_crc, MemoryMarshal.Read<ulong>(bytes));
        foreach (byte b in bytes)
            _crc = BitOperations.Crc32C(_crc, b);
    }
}
