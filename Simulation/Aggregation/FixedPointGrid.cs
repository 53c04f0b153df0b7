using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Chorus.Simulation.Aggregation;

/// <summary>
/// The grid of multiples of 2^-24 on which votes are added as 64-bit integers, so that a sum depends neither on the
/// order of its terms, nor on how they were grouped, nor on the machine.
/// </summary>
/// <remarks>
/// A vote is rounded towards zero: no coordinate grows, so no norm grows, and a vote of L2 norm at most 1 stays within
/// sensitivity 1 (2^24 units). The noise is drawn on the same grid (Privacy/DiscreteGaussian.cs).
/// </remarks>
public static class FixedPointGrid
{
    /// <summary>Bits after the binary point.</summary>
    public const int FractionBits = 24;

    /// <summary>Grid units in 1.0.</summary>
    public const long UnitsPerOne = 1L << FractionBits;

    private const int Width = 4;

    // 1.5 * 2^52: added to a whole number of at most 51 bits it leaves that number in the low bits of the sum.
    private const double Magic = 6755399441055744.0;
    private const double MagicLimit = 1L << 26;

    // A coordinate is kept well inside 63 bits, so that scaling it by 2^24 is exact and its conversion defined.
    private const double Limit = 1L << 38;

    /// <summary>Rounds a vote towards zero onto the grid and adds it to a sum. Nothing is added when anything is refused.</summary>
    /// <param name="vote">Coordinates, finite and within (-2^38, 2^38).</param>
    /// <param name="sum">Running sum in grid units, of the same length; += here.</param>
    /// <exception cref="ArgumentException">A coordinate is not finite or too large, or the lengths differ.</exception>
    /// <exception cref="OverflowException">The sum would pass 64 bits; it is left as it was.</exception>
    public static void AddRounded(ReadOnlySpan<double> vote, Span<long> sum)
    {
        RequireSameLength(vote.Length, sum.Length);
        RequireOnRange(vote);
        for (int i = 0; i < vote.Length; i++)
            RequireNoOverflow(sum[i], Units(vote[i]), i);
        for (int i = 0; i < vote.Length; i++)
            sum[i] += Units(vote[i]);
    }

    /// <summary>Rounds a vote towards zero onto the grid.</summary>
    /// <param name="vote">Coordinates, finite and within (-2^38, 2^38).</param>
    /// <param name="grid">The same in grid units; overwritten. May be the memory of the vote itself.</param>
    /// <exception cref="ArgumentException">A coordinate is not finite or too large, or the lengths differ.</exception>
    public static void Round(ReadOnlySpan<double> vote, Span<long> grid)
    {
        RequireSameLength(vote.Length, grid.Length);
        RequireOnRange(vote);
        ref double from = ref MemoryMarshal.GetReference(vote);
        ref long to = ref MemoryMarshal.GetReference(grid);
        int i = 0;
        for (; i <= vote.Length - Width; i += Width)
        {
            Vector256<double> value = Vector256.LoadUnsafe(ref from, (nuint)i);
            if (Vector256.LessThanAll(Vector256.Abs(value), Vector256.Create(MagicLimit)))
            {
                Vector256<double> whole = Vector256.Truncate(value * Vector256.Create((double)UnitsPerOne));
                ((whole + Vector256.Create(Magic)).AsInt64() - Vector256.Create(Magic).AsInt64()).StoreUnsafe(ref to, (nuint)i);
                continue;
            }

            for (int j = i; j < i + Width; j++)
                grid[j] = Units(value.GetElement(j - i));
        }

        for (; i < vote.Length; i++)
            grid[i] = Units(vote[i]);
    }

    /// <summary>Adds one partial sum to another. Nothing is added when anything is refused.</summary>
    /// <param name="a">Partial sum in grid units.</param>
    /// <param name="sum">Running sum of the same length; += here.</param>
    /// <exception cref="OverflowException">The sum would pass 64 bits; it is left as it was.</exception>
    public static void Add(ReadOnlySpan<long> a, Span<long> sum)
    {
        RequireSameLength(a.Length, sum.Length);
        RequireNoOverflow(a, sum);
        ref long from = ref MemoryMarshal.GetReference(a);
        ref long to = ref MemoryMarshal.GetReference(sum);
        int i = 0;
        for (; i <= a.Length - Width; i += Width)
            (Vector256.LoadUnsafe(ref to, (nuint)i) + Vector256.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        for (; i < a.Length; i++)
            sum[i] += a[i];
    }

    /// <summary>The sum as real numbers: exact up to 2^29 in size, rounded to double beyond.</summary>
    /// <param name="sum">Grid units.</param>
    /// <returns>A new array, owned by the caller.</returns>
    public static double[] ToDouble(ReadOnlySpan<long> sum)
    {
        var values = new double[sum.Length];
        for (int i = 0; i < sum.Length; i++)
            values[i] = sum[i] / (double)UnitsPerOne;
        return values;
    }

    // The product by a power of two is exact, and the conversion cuts towards zero.
    private static long Units(double value) => (long)(value * UnitsPerOne);

    private static void RequireOnRange(ReadOnlySpan<double> vote)
    {
        ref double at = ref MemoryMarshal.GetReference(vote);
        int i = 0;
        while (i <= vote.Length - Width && Vector256.LessThanAll(Vector256.Abs(Vector256.LoadUnsafe(ref at, (nuint)i)), Vector256.Create(Limit)))
            i += Width;
        for (; i < vote.Length; i++)
        {
            if (!(Math.Abs(vote[i]) < Limit))
                throw new ArgumentException($"vote[{i}] must be finite and within (-2^38, 2^38), got {vote[i]:R}");
        }
    }

    private static void RequireNoOverflow(ReadOnlySpan<long> a, ReadOnlySpan<long> b)
    {
        ref long x = ref MemoryMarshal.GetReference(a);
        ref long y = ref MemoryMarshal.GetReference(b);
        Vector256<long> signs = default;
        int i = 0;
        for (; i <= a.Length - Width; i += Width)
        {
            Vector256<long> u = Vector256.LoadUnsafe(ref x, (nuint)i), v = Vector256.LoadUnsafe(ref y, (nuint)i), sum = u + v;
            signs |= (u ^ sum) & (v ^ sum);
        }

        for (i = Vector256.LessThanAny(signs, default) ? 0 : i; i < a.Length; i++)
            RequireNoOverflow(b[i], a[i], i);
    }

    private static void RequireNoOverflow(long a, long b, int i)
    {
        long sum = unchecked(a + b);
        if (((a ^ sum) & (b ^ sum)) < 0)
            throw new OverflowException($"sum[{i}] would pass 64 bits: {a} + {b} grid units of 2^-{FractionBits}");
    }

    private static void RequireSameLength(int given, int sum)
    {
        if (given != sum)
            throw new ArgumentException($"the sum must have the vote's length {given}, got {sum}");
    }
}
