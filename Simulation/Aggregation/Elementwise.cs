using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Chorus.Simulation.Aggregation;

/// <summary>The same operation on each element of a span. Each rounds on its own, so the width of a register changes no bit.</summary>
internal static class Elementwise
{
    private const int Width = 4;

    /// <summary>values[i] -= x.</summary>
    public static void Subtract(Span<double> values, double x)
    {
        ref double at = ref MemoryMarshal.GetReference(values);
        var wide = Vector256.Create(x);
        int i = 0;
        for (; i <= values.Length - Width; i += Width)
            (Vector256.LoadUnsafe(ref at, (nuint)i) - wide).StoreUnsafe(ref at, (nuint)i);
        for (; i < values.Length; i++)
            values[i] -= x;
    }

    /// <summary>values[i] *= x.</summary>
    public static void Scale(Span<double> values, double x)
    {
        ref double at = ref MemoryMarshal.GetReference(values);
        var wide = Vector256.Create(x);
        int i = 0;
        for (; i <= values.Length - Width; i += Width)
            (Vector256.LoadUnsafe(ref at, (nuint)i) * wide).StoreUnsafe(ref at, (nuint)i);
        for (; i < values.Length; i++)
            values[i] *= x;
    }

    /// <summary>sum[i] += row[i] / x, each element of the row widened exactly first.</summary>
    public static void AddQuotient(ReadOnlySpan<float> row, double x, Span<double> sum)
    {
        if (row.Length != sum.Length)
            throw new ArgumentException($"both must have one length, got {row.Length} and {sum.Length}");
        ref float from = ref MemoryMarshal.GetReference(row);
        ref double to = ref MemoryMarshal.GetReference(sum);
        var wide = Vector256.Create(x);
        int i = 0;
        for (; i <= row.Length - Width; i += Width)
        {
            Vector256<double> quotient = Vector256.WidenLower(Vector128.LoadUnsafe(ref from, (nuint)i).ToVector256Unsafe()) / wide;
            (Vector256.LoadUnsafe(ref to, (nuint)i) + quotient).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < row.Length; i++)
            sum[i] += row[i] / x;
    }
}
