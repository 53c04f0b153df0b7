using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Popri;

/// <summary>The steps that every kind of vote shares: unit text embeddings are summed, and a vote is scaled to norm 1.</summary>
/// <remarks>
/// Why the norm of a vote is at most 1, and not only nearly. Let c be the vote as stored before scaling, N its length,
/// u = 2^-53. The computed sum of squares is at least (1 - Depth(N) u) |c|^2, since all its terms are positive. Root,
/// quotient and the product by each c_k round once each, so the stored vote's norm is at most
/// (1 - 2^-36) (1 + u)^3 (1 - Depth(N) u)^(-1/2), that is, below 1 while Depth(N) / 2 + 4 is under 2^17; N of at most 2^20
/// gives half of that. Terms lost to underflow change |c|^2 by less than N 2^-1000, against at least 2^-80 once the spread
/// passed its threshold. Rounding towards zero on the grid then only shrinks. Errors made before c is stored do not
/// matter: they change the vote's direction, not the bound.
/// </remarks>
internal static class VoteArithmetic
{
    /// <summary>The longest vote for which the argument above holds with room to spare.</summary>
    public const int LongestVote = 1 << 20;

    /// <summary>Standard deviation of the similarities, as a share of the number of texts, below which there is no vote.</summary>
    /// <remarks>
    /// A sum of n cosines lies in [-n, n] and is computed to within about (d / 16 + 60) 2^-53 n, 10^-14 n for d = 384 and
    /// below 5 * 10^-13 n for d = 65,536. A spread under 10^-12 n can be rounding alone, and would be blown up to norm 1.
    /// Measured against n, not against |s|: texts that cancel leave an s that is itself rounding.
    /// </remarks>
    public const double SpreadThreshold = 1e-12;

    // Covers every rounding between the vote as stored before scaling and after; far below the grid's 2^-24.
    private const double Shrink = 1 - (1.0 / (1L << 36));

    /// <summary>The norm of every candidate, 1 for a zero one.</summary>
    /// <exception cref="ArgumentException">A candidate is not finite.</exception>
    public static double[] Norms(EmbeddingMatrix candidates)
    {
        var norms = new double[candidates.Rows];
        for (int k = 0; k < norms.Length; k++)
        {
            double norm = Math.Sqrt(FixedOrder.SumOfSquares(candidates.Row(k)));
            if (!double.IsFinite(norm))
                throw new ArgumentException($"candidate {k} must be finite, its norm is {norm}");
            norms[k] = norm > 0 ? norm : 1;
        }

        return norms;
    }

    /// <summary>Sums a client's texts, each scaled to norm 1; a zero text adds nothing.</summary>
    /// <param name="texts">[n, d], row-major.</param>
    /// <param name="sum">[d], overwritten.</param>
    /// <returns>False when a text is not finite.</returns>
    public static bool TrySumUnits(ReadOnlySpan<float> texts, Span<double> sum)
    {
        sum.Clear();
        for (int start = 0; start < texts.Length; start += sum.Length)
        {
            ReadOnlySpan<float> text = texts.Slice(start, sum.Length);
            double norm = Math.Sqrt(FixedOrder.SumOfSquares(text));
            if (!double.IsFinite(norm))
                return false;
            if (norm == 0)
                continue;
            for (int j = 0; j < sum.Length; j++)
                sum[j] += text[j] / norm;
        }

        return true;
    }

    /// <summary>Scales a vote to norm 1, never above; false, and nothing changed, when its norm does not exceed a floor of at least 10^-12.</summary>
    public static bool TryScaleToUnit(Span<double> vote, double floor)
    {
        double norm = Math.Sqrt(FixedOrder.Dot(vote, vote));
        if (!(norm > floor))
            return false;
        double factor = Shrink / norm;
        for (int k = 0; k < vote.Length; k++)
            vote[k] *= factor;
        return true;
    }
}
