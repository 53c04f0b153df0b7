using System.Numerics;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Chorus.Gpu.Collectives;

/// <summary>Adds up the same piece of several ranks' tensors, one after another, in float32 (float64 for float64), and rounds once.</summary>
/// <param name="type">float64, float32, bfloat16, float16 or int64.</param>
internal sealed class HostSum(ScalarType type)
{
    private byte[] _sum = [];

    /// <summary>sum = bytes, or sum += bytes where it is not the first.</summary>
    public void Add(ReadOnlySpan<byte> bytes, bool first)
    {
        switch (type)
        {
            case ScalarType.Float64:
                Add(Room<double>(bytes.Length / 8), MemoryMarshal.Cast<byte, double>(bytes), first);
                break;
            case ScalarType.Int64:
                Add(Room<long>(bytes.Length / 8), MemoryMarshal.Cast<byte, long>(bytes), first);
                break;
            case ScalarType.Float32:
                Add(Room<float>(bytes.Length / 4), MemoryMarshal.Cast<byte, float>(bytes), first);
                break;
            case ScalarType.BFloat16:
                AddHalves(MemoryMarshal.Cast<byte, ushort>(bytes), first, static h => BitConverter.UInt32BitsToSingle((uint)h << 16));
                break;
            case ScalarType.Float16:
                AddHalves(MemoryMarshal.Cast<byte, ushort>(bytes), first, static h => (float)BitConverter.UInt16BitsToHalf(h));
                break;
            default:
                throw new NotSupportedException($"sums of {type} are not made: convert to a floating-point type or to int64");
        }
    }

    /// <summary>Writes the sum, rounded to the type.</summary>
    public void WriteTo(Span<byte> bytes)
    {
        switch (type)
        {
            case ScalarType.BFloat16:
                Round(MemoryMarshal.Cast<byte, ushort>(bytes), ToBFloat16);
                break;
            case ScalarType.Float16:
                Round(MemoryMarshal.Cast<byte, ushort>(bytes), static f => BitConverter.HalfToUInt16Bits((Half)f));
                break;
            default:
                _sum.AsSpan(0, bytes.Length).CopyTo(bytes);
                break;
        }
    }

    private Span<T> Room<T>(int elements)
        where T : unmanaged
    {
        int bytes = elements * Marshal.SizeOf<T>();
        if (_sum.Length < bytes)
            _sum = new byte[bytes];
        return MemoryMarshal.Cast<byte, T>(_sum.AsSpan(0, bytes));
    }

    private static void Add<T>(Span<T> sum, ReadOnlySpan<T> values, bool first)
        where T : unmanaged, INumber<T>
    {
        if (first)
        {
            values.CopyTo(sum);
            return;
        }
        int i = 0;
        for (; i <= sum.Length - Vector<T>.Count; i += Vector<T>.Count)
            (new Vector<T>(sum[i..]) + new Vector<T>(values[i..])).CopyTo(sum[i..]);
        for (; i < sum.Length; i++)
            sum[i] += values[i];
    }

    private void AddHalves(ReadOnlySpan<ushort> values, bool first, Func<ushort, float> widen)
    {
        var sum = Room<float>(values.Length);
        for (int i = 0; i < values.Length; i++)
            sum[i] = first ? widen(values[i]) : sum[i] + widen(values[i]);
    }

    private void Round(Span<ushort> values, Func<float, ushort> narrow)
    {
        var sum = MemoryMarshal.Cast<byte, float>(_sum.AsSpan(0, values.Length * sizeof(float)));
        for (int i = 0; i < values.Length; i++)
            values[i] = narrow(sum[i]);
    }

    // To nearest, ties to even.
    private static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
