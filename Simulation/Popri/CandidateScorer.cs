using System.Buffers;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Popri;

/// <summary>
/// Makes the published POPri vote of one client after another against one set of candidates. Prepared once a node and
/// shared by all its clients: it never changes, and <see cref="Vote"/> may run on any number of threads.
/// </summary>
/// <remarks>
/// The sum of a client's cosines with candidate p is p . s / |p|, with s the sum of its texts' unit embeddings: one inner
/// product a candidate, however many texts there are. Everything after the float32 inputs is in double and in a written
/// order (<see cref="FixedOrder"/>), so a vote has the same bits on every machine.
/// <para>
/// Why the norm of a vote is at most 1, and not only nearly. Let c be the centred similarities as stored, N their number,
/// u = 2^-53. The computed sum of squares is at least (1 - Depth(N) u) |c|^2, since all its terms are positive. Root,
/// quotient and the product by each c_k round once each, so the stored vote's norm is at most
/// (1 - 2^-36) (1 + u)^3 (1 - Depth(N) u)^(-1/2), that is, below 1 while Depth(N) / 2 + 4 is under 2^17; N of at most 2^20
/// gives half of that. Terms lost to underflow change |c|^2 by less than N 2^-1000, against at least 2^-80 once the spread
/// passed its threshold. Rounding towards zero on the grid then only shrinks. Errors made before c is stored do not
/// matter: they change the vote's direction, not the bound.
/// </para>
/// </remarks>
public sealed class CandidateScorer
{
    /// <summary>The most candidates for which the norm of a vote is proven to be at most 1.</summary>
    public const int MaxCandidates = 1 << 20;

    /// <summary>Standard deviation of the similarities, as a share of the number of texts, below which there is no vote.</summary>
    /// <remarks>
    /// A sum of n cosines lies in [-n, n] and is computed to within about (d / 16 + 60) 2^-53 n, 10^-14 n for d = 384 and
    /// below 5 * 10^-13 n for d = 65,536. A spread under 10^-12 n can be rounding alone, and would be blown up to norm 1.
    /// Measured against n, not against |s|: texts that cancel leave an s that is itself rounding.
    /// </remarks>
    internal const double SpreadThreshold = 1e-12;

    // Covers every rounding between the stored centred similarities and the vote; far below the grid's 2^-24.
    private const double Shrink = 1 - (1.0 / (1L << 36));

    private readonly EmbeddingMatrix _candidates;
    private readonly double[] _norms;

    /// <param name="candidates">[Count, Dimension], rows of any length; a zero row has similarity 0 with everything.</param>
    /// <exception cref="ArgumentException">A candidate is not finite, or there are none or more than 2^20.</exception>
    public CandidateScorer(EmbeddingMatrix candidates)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        if (candidates.Rows is < 1 or > MaxCandidates)
            throw new ArgumentException($"candidates must number 1 to {MaxCandidates}, got {candidates.Rows}");
        _candidates = candidates;
        _norms = new double[candidates.Rows];
        for (int k = 0; k < _norms.Length; k++)
        {
            double norm = Math.Sqrt(FixedOrder.SumOfSquares(candidates.Row(k)));
            if (!double.IsFinite(norm))
                throw new ArgumentException($"candidate {k} must be finite, its norm is {norm}");
            _norms[k] = norm > 0 ? norm : 1;
        }
    }

    /// <summary>Number of candidates.</summary>
    public int Count => _candidates.Rows;

    /// <summary>Numbers in an embedding.</summary>
    public int Dimension => _candidates.Dimension;

    /// <summary>One client's vote: its summed cosines, standardised over the candidates, clipped to L2 norm 1.</summary>
    /// <param name="textEmbeddings">The client's texts [n, Dimension], row-major; rows of any length, a zero row adds nothing.</param>
    /// <param name="vote">[Count], overwritten. Its norm is at most 1 in exact arithmetic; zero unless the result is Counted.</param>
    /// <returns>What became of the vote.</returns>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote)
    {
        if (vote.Length != Count)
            throw new ArgumentException($"the vote must have {Count} numbers, got {vote.Length}");
        if (textEmbeddings.Length % Dimension != 0)
            throw new ArgumentException($"text embeddings must be whole rows of {Dimension} numbers, got {textEmbeddings.Length} numbers");
        double[] rented = ArrayPool<double>.Shared.Rent(Dimension);
        try
        {
            VoteKind kind = Fill(textEmbeddings, rented.AsSpan(0, Dimension), vote);
            if (kind != VoteKind.Counted)
                vote.Clear();
            return kind;
        }
        finally
        {
            // It held the client's texts: nothing private stays in a pool that anybody rents from.
            ArrayPool<double>.Shared.Return(rented, clearArray: true);
        }
    }

    private VoteKind Fill(ReadOnlySpan<float> texts, Span<double> sum, Span<double> vote)
    {
        int count = texts.Length / Dimension;
        if (count == 0)
            return VoteKind.NoText;
        if (!TrySumUnits(texts, sum))
            return VoteKind.NotFinite;

        for (int k = 0; k < vote.Length; k++)
            vote[k] = FixedOrder.Dot(_candidates.Row(k), sum) / _norms[k];
        double mean = FixedOrder.Sum(vote) / vote.Length;
        for (int k = 0; k < vote.Length; k++)
            vote[k] -= mean;

        double norm = Math.Sqrt(FixedOrder.Dot(vote, vote));
        if (!(norm > SpreadThreshold * count * Math.Sqrt(vote.Length)))
            return VoteKind.ZeroSpread;
        // Dividing by the deviation and then clipping is dividing by the norm: a standardised vector has norm sqrt(Count),
        // and a spread that is not zero needs two candidates.
        double factor = Shrink / norm;
        for (int k = 0; k < vote.Length; k++)
            vote[k] *= factor;
        return VoteKind.Counted;
    }

    private bool TrySumUnits(ReadOnlySpan<float> texts, Span<double> sum)
    {
        sum.Clear();
        for (int start = 0; start < texts.Length; start += Dimension)
        {
            ReadOnlySpan<float> text = texts.Slice(start, Dimension);
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
}
