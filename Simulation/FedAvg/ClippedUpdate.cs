using Chorus.Simulation.Aggregation;

namespace Chorus.Simulation.FedAvg;

/// <summary>A client's change of a model's weights as a vote: divided by the clipping threshold, of L2 norm at most 1.</summary>
/// <remarks>
/// Clipping is min(1, C / |delta|) delta (arXiv:1710.06963, Algorithm 1), released in units of C. Why the norm is at most 1, and not
/// only nearly: squares of float32 numbers are exact in double; pieces of 2^16 are summed by <see cref="FixedOrder"/>, and so are
/// the pieces' sums, each term passing at most D = 2 (2^12 + 20) roundings while there are at most 2^16 pieces. All terms are
/// positive, so the computed square of the norm is at least (1 - D u) |delta|^2, u = 2^-53. Root, quotient and product round once
/// each, and the factor is lowered by 2^-36 on top: the stored vote's norm is at most (1 - 2^-36) (1 + u)^3 (1 - D u)^(-1/2) &lt; 1,
/// since D / 2 + 4 &lt; 2^17. Rounding towards zero on the grid then only shrinks.
/// </remarks>
public static class ClippedUpdate
{
    /// <summary>The most weights for which the bound above is proven.</summary>
    public const long MaxWeights = 1L << 31;

    private const int Piece = 1 << 16;
    private const double Shrink = 1 - (1.0 / (1L << 36));

    /// <summary>Clips a change of weights and puts it on the fixed-point grid.</summary>
    /// <param name="delta">The change, one number a weight.</param>
    /// <param name="threshold">C, above 0.</param>
    /// <param name="grid">[delta.Length], overwritten: multiples of 2^-24 of C, of norm at most 1; zero where the result is false.</param>
    /// <returns>False: the change is not finite, and counts as none.</returns>
    /// <exception cref="ArgumentException">Lengths differ, there are too many weights, or the threshold is not above 0.</exception>
    public static bool TryClip(ReadOnlySpan<float> delta, double threshold, Span<long> grid)
    {
        if (delta.Length != grid.Length)
            throw new ArgumentException($"the vote must have {delta.Length} numbers, got {grid.Length}");
        if (!(threshold > 0) || !double.IsFinite(threshold))
            throw new ArgumentOutOfRangeException(nameof(threshold), $"the clipping threshold must be above 0 and finite, got {threshold:R}");
        double norm = Norm(delta);
        if (!double.IsFinite(norm))
        {
            grid.Clear();
            return false;
        }

        // |delta / C| where that is below 1, else the unit vector; the quotient is exact enough either way, as argued above.
        double factor = Shrink / Math.Max(norm, threshold);
        for (int i = 0; i < delta.Length; i++)
            grid[i] = (long)(delta[i] * factor * FixedPointGrid.UnitsPerOne); // the product by a power of two is exact, and the conversion cuts towards zero
        return true;
    }

    /// <summary>The L2 norm; NaN or infinity where a number is not finite.</summary>
    public static double Norm(ReadOnlySpan<float> delta)
    {
        var sums = new double[(delta.Length + Piece - 1) / Piece];
        for (int p = 0; p < sums.Length; p++)
            sums[p] = FixedOrder.SumOfSquares(delta.Slice(p * Piece, Math.Min(Piece, delta.Length - (p * Piece))));
        return Math.Sqrt(FixedOrder.Sum(sums));
    }
}
