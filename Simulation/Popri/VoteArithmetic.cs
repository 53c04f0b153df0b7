using System.Buffers;
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
    /// A sum of n cosines lies in [-n, n] and is computed to within about (d / 16 + 60) 2^-53 n for the norms and
    /// (FixedOrderProduct.Depth(d) + 4) 2^-53 n for the product, 3 * 10^-14 n for d = 384 and below 6 * 10^-13 n for d = 65,536. A spread under 10^-12 n can be rounding alone, and would be blown up to norm 1.
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

    /// <summary>A row over its norm.</summary>
    public static void Unit(ReadOnlySpan<float> row, double norm, Span<double> unit)
    {
        for (int j = 0; j < unit.Length; j++)
            unit[j] = row[j] / norm;
    }

    /// <summary>One client's vote by the steps that many clients' votes take together.</summary>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public static VoteKind OneVote(IBlockScorer scorer, ReadOnlySpan<float> textEmbeddings, Span<double> vote)
    {
        RequireLength(vote, scorer.VoteLength);
        double[] rented = ArrayPool<double>.Shared.Rent(scorer.Dimension);
        try
        {
            Span<double> summary = rented.AsSpan(0, scorer.Dimension);
            VoteKind kind = scorer.Summarise(textEmbeddings, summary);
            if (kind != VoteKind.Counted)
            {
                vote.Clear();
                return kind;
            }

            scorer.Multiply(summary, vote);
            return scorer.Finish(textEmbeddings.Length / scorer.Dimension, vote);
        }
        finally
        {
            // It held the client's texts: nothing private stays in a pool that anybody rents from.
            ArrayPool<double>.Shared.Return(rented, clearArray: true);
        }
    }

    /// <summary>Sums a client's texts, each scaled to norm 1; a zero text adds nothing.</summary>
    /// <param name="texts">[n, dimension], row-major.</param>
    /// <param name="summary">[dimension], overwritten; zero unless the result is Counted.</param>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public static VoteKind Summarise(ReadOnlySpan<float> texts, int dimension, Span<double> summary)
    {
        if (texts.Length % dimension != 0)
            throw new ArgumentException($"text embeddings must be whole rows of {dimension} numbers, got {texts.Length} numbers");
        if (summary.Length != dimension)
            throw new ArgumentException($"the summary must have {dimension} numbers, got {summary.Length}");
        summary.Clear();
        for (int start = 0; start < texts.Length; start += dimension)
        {
            ReadOnlySpan<float> text = texts.Slice(start, dimension);
            double norm = Math.Sqrt(FixedOrder.SumOfSquares(text));
            if (!double.IsFinite(norm))
            {
                summary.Clear();
                return VoteKind.NotFinite;
            }

            if (norm > 0)
                Elementwise.AddQuotient(text, norm, summary);
        }

        return texts.Length == 0 ? VoteKind.NoText : VoteKind.Counted;
    }

    /// <summary>Scales a vote to norm 1, never above; false, and the vote zero, when its norm does not exceed a floor of at least 10^-12.</summary>
    public static bool TryScaleToUnit(Span<double> vote, double floor)
    {
        double norm = Math.Sqrt(FixedOrder.Dot(vote, vote));
        if (!(norm > floor))
        {
            vote.Clear();
            return false;
        }

        Elementwise.Scale(vote, Shrink / norm);
        return true;
    }

    /// <summary>Divides a vote by its norm or by the clipping length, whichever is more: its norm is then at most 1, never above.</summary>
    /// <remarks>The argument of this class with max(clip, norm) for the norm: a larger divisor only shortens the vote.</remarks>
    public static void ClipToUnit(Span<double> vote, double clip) =>
        Elementwise.Scale(vote, Shrink / Math.Max(clip, Math.Sqrt(FixedOrder.Dot(vote, vote))));

    /// <exception cref="ArgumentException">The vote has another length.</exception>
    public static void RequireLength(ReadOnlySpan<double> vote, int length)
    {
        if (vote.Length != length)
            throw new ArgumentException($"the vote must have {length} numbers, got {vote.Length}");
    }
}
