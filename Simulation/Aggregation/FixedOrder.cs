using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Chorus.Simulation.Aggregation;

/// <summary>Sums in double whose order of additions is written down, so that every machine gives the same bits.</summary>
/// <remarks>
/// Element i goes to lane i mod 16 (four vectors of four doubles, whatever the hardware's width: narrower machines run
/// the same four lanes in halves). Lanes meet as (0+1)+(2+3), vectors first; the last n mod 16 elements follow one by
/// one. Products and additions are rounded separately: a fused multiply-add would round once where it exists and twice
/// elsewhere. For terms t_i the result differs from the exact sum by at most Depth(n) * 2^-53 / (1 - Depth(n) * 2^-53)
/// times the sum of |t_i| (Higham, Accuracy and Stability, 2nd ed., eq. 4.6), a product counting as one more step.
/// </remarks>
internal static class FixedOrder
{
    private const int Stride = 16;

    /// <summary>The most roundings that any one term goes through: its product, its lane, the meeting of lanes, the tail.</summary>
    public static int Depth(int count) => 1 + (count / Stride) + 4 + (Stride - 1);

    /// <summary>Inner product of two spans of one length, the first widened exactly to double.</summary>
    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<double> b)
    {
        RequireSameLength(a.Length, b.Length);
        ref float x = ref MemoryMarshal.GetReference(a);
        ref double y = ref MemoryMarshal.GetReference(b);
        Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= a.Length - Stride; i += Stride)
        {
            s0 += Widen(ref x, i) * Load(ref y, i);
            s1 += Widen(ref x, i + 4) * Load(ref y, i + 4);
            s2 += Widen(ref x, i + 8) * Load(ref y, i + 8);
            s3 += Widen(ref x, i + 12) * Load(ref y, i + 12);
        }

        double total = Meet(s0, s1, s2, s3);
        for (; i < a.Length; i++)
            total += a[i] * b[i];
        return total;
    }

    /// <summary>Inner product of two spans of one length.</summary>
    public static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        RequireSameLength(a.Length, b.Length);
        ref double x = ref MemoryMarshal.GetReference(a);
        ref double y = ref MemoryMarshal.GetReference(b);
        Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= a.Length - Stride; i += Stride)
        {
            s0 += Load(ref x, i) * Load(ref y, i);
            s1 += Load(ref x, i + 4) * Load(ref y, i + 4);
            s2 += Load(ref x, i + 8) * Load(ref y, i + 8);
            s3 += Load(ref x, i + 12) * Load(ref y, i + 12);
        }

        double total = Meet(s0, s1, s2, s3);
        for (; i < a.Length; i++)
            total += a[i] * b[i];
        return total;
    }

    /// <summary>Sum of the elements.</summary>
    public static double Sum(ReadOnlySpan<double> a)
    {
        ref double x = ref MemoryMarshal.GetReference(a);
        Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= a.Length - Stride; i += Stride)
        {
            s0 += Load(ref x, i);
            s1 += Load(ref x, i + 4);
            s2 += Load(ref x, i + 8);
            s3 += Load(ref x, i + 12);
        }

        double total = Meet(s0, s1, s2, s3);
        for (; i < a.Length; i++)
            total += a[i];
        return total;
    }

    /// <summary>Sum of the squares of float32 elements, each widened exactly first, so that it neither overflows nor underflows.</summary>
    public static double SumOfSquares(ReadOnlySpan<float> a)
    {
        ref float x = ref MemoryMarshal.GetReference(a);
        Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= a.Length - Stride; i += Stride)
        {
            s0 += Square(Widen(ref x, i));
            s1 += Square(Widen(ref x, i + 4));
            s2 += Square(Widen(ref x, i + 8));
            s3 += Square(Widen(ref x, i + 12));
        }

        double total = Meet(s0, s1, s2, s3);
        for (; i < a.Length; i++)
            total += (double)a[i] * a[i];
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Square(Vector256<double> x) => x * x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Load(ref double at, int i) => Vector256.LoadUnsafe(ref at, (nuint)i);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Widen(ref float at, int i) =>
        Vector256.WidenLower(Vector128.LoadUnsafe(ref at, (nuint)i).ToVector256Unsafe());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Meet(Vector256<double> s0, Vector256<double> s1, Vector256<double> s2, Vector256<double> s3)
    {
        Vector256<double> s = (s0 + s1) + (s2 + s3);
        return (s.GetElement(0) + s.GetElement(1)) + (s.GetElement(2) + s.GetElement(3));
    }

    private static void RequireSameLength(int a, int b)
    {
        if (a != b)
            throw new ArgumentException($"both vectors must have one length, got {a} and {b}");
    }
}
