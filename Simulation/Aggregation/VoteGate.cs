using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Chorus.Simulation.Aggregation;

/// <summary>
/// What a sum takes from a client whom nobody need believe: a vote of L2 norm at most 1. The proof of sensitivity rests here
/// and on each client being counted once, on nothing that a client does or says.
/// </summary>
public abstract class VoteGate
{
    /// <summary>Longer votes are scaled down to norm 1.</summary>
    public static VoteGate Clipping { get; } = new ClippingGate();

    /// <summary>Looks at a vote before it is added.</summary>
    /// <param name="vote">In grid units, any bits; scaled down in place where it is too long.</param>
    /// <returns>False: it was too long.</returns>
    public abstract bool Admit(Span<long> vote);

    private sealed class ClippingGate : VoteGate
    {
        private const int Width = 4;
        private const double LongestSquare = (double)FixedPointGrid.UnitsPerOne * FixedPointGrid.UnitsPerOne;
        private const double Shrink = 1 - (1.0 / (1L << 20));

        // 1.5 * 2^52: its bits plus a whole number of at most 51 bits are those of the sum.
        private const double Magic = 6755399441055744.0;

        public override bool Admit(Span<long> vote)
        {
            if (Fits(vote))
                return true;
            Clip(vote);
            return false;
        }

        // Exact: coordinates within 2^24 have squares of at most 48 bits, and sums of squares are exact in double up to
        // 2^53. A sum that is too long for that has passed 2^48 on the way, and rounded additions of what is not negative never come back.
        private static bool Fits(ReadOnlySpan<long> vote)
        {
            ref long at = ref MemoryMarshal.GetReference(vote);
            var magic = Vector256.Create(Magic);
            var one = Vector256.Create(FixedPointGrid.UnitsPerOne);
            Vector256<double> squares = default;
            Vector256<long> outside = default;
            int i = 0;
            for (; i <= vote.Length - Width; i += Width)
            {
                Vector256<long> units = Vector256.LoadUnsafe(ref at, (nuint)i);
                outside |= (one - units) | (one + units); // a sign bit where it is not within 2^24
                Vector256<double> value = (units + magic.AsInt64()).AsDouble() - magic;
                squares += value * value;
            }

            double square = Vector256.Sum(squares);
            bool within = Vector256.GreaterThanOrEqualAll(outside, default);
            for (; i < vote.Length; i++)
            {
                within &= vote[i] is >= -FixedPointGrid.UnitsPerOne and <= FixedPointGrid.UnitsPerOne;
                square += (double)vote[i] * vote[i];
            }

            return within && square <= LongestSquare;
        }

        // The norm in double is off by a share of at most 2^-23 (2^31 coordinates), the products by 2^-52, and all is rounded
        // towards zero: what is left of norm 1 after the shrinking covers both. Fits() has the last word all the same.
        private static void Clip(Span<long> vote)
        {
            double square = 0;
            foreach (long units in vote)
                square += (double)units * units;
            double factor = Shrink * FixedPointGrid.UnitsPerOne / Math.Sqrt(square);
            for (int i = 0; i < vote.Length; i++)
                vote[i] = (long)(vote[i] * factor);
            if (!Fits(vote))
                vote.Clear();
        }
    }
}
