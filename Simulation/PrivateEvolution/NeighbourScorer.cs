using System.Buffers;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;

namespace Chorus.Simulation.PrivateEvolution;

/// <summary>
/// Private Evolution's vote of one client: each of its texts votes for the candidate nearest to it, and the client's
/// histogram is scaled to L2 norm 1.
/// </summary>
/// <remarks>
/// Nearest by cosine, which for unit vectors is nearest by distance; of equally near ones the first (arXiv:2305.15560,
/// Algorithm 2, and its federated form in arXiv:2406.02958). There a sample of one text is the unit and a bin moves by 1; here a
/// client with all its texts is, so its whole histogram is bounded: counts are whole numbers up to the number of texts, exact in double,
/// and <see cref="VoteArithmetic.TryScaleToUnit"/> leaves a norm of at most 1 in exact arithmetic, by the argument that stands there.
/// Immutable; any number of threads may vote.
/// </remarks>
public sealed class NeighbourScorer : IVoteScorer
{
    private readonly EmbeddingMatrix _candidates;
    private readonly double[] _norms;

    /// <param name="candidates">[Count, Dimension], rows of any length; a zero row has similarity 0 with everything.</param>
    /// <exception cref="ArgumentException">A candidate is not finite, or there are none or more than 2^20.</exception>
    public NeighbourScorer(EmbeddingMatrix candidates)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        if (candidates.Rows is < 1 or > CandidateScorer.MaxCandidates)
            throw new ArgumentException($"candidates must number 1 to {CandidateScorer.MaxCandidates}, got {candidates.Rows}");
        _candidates = candidates;
        _norms = VoteArithmetic.Norms(candidates);
    }

    /// <summary>Number of candidates.</summary>
    public int Count => _candidates.Rows;

    /// <summary>Numbers in an embedding.</summary>
    public int Dimension => _candidates.Dimension;

    /// <summary>Numbers in a vote: one a candidate.</summary>
    public int VoteLength => Count;

    /// <summary>One client's histogram over the candidates, scaled to L2 norm 1.</summary>
    /// <param name="textEmbeddings">The client's texts [n, Dimension], row-major; a zero row is near to nothing and adds nothing.</param>
    /// <param name="vote">[Count], overwritten; of norm at most 1 in exact arithmetic, zero unless the result is Counted.</param>
    /// <returns>What became of the vote; ZeroSpread where no text is near to anything.</returns>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote)
    {
        if (vote.Length != Count)
            throw new ArgumentException($"the vote must have {Count} numbers, got {vote.Length}");
        if (textEmbeddings.Length % Dimension != 0)
            throw new ArgumentException($"text embeddings must be whole rows of {Dimension} numbers, got {textEmbeddings.Length} numbers");
        vote.Clear();
        if (textEmbeddings.IsEmpty)
            return VoteKind.NoText;
        double[] rented = ArrayPool<double>.Shared.Rent(Dimension);
        try
        {
            Span<double> text = rented.AsSpan(0, Dimension);
            for (int start = 0; start < textEmbeddings.Length; start += Dimension)
            {
                if (VoteArithmetic.Summarise(textEmbeddings.Slice(start, Dimension), Dimension, text) == VoteKind.NotFinite)
                {
                    vote.Clear();
                    return VoteKind.NotFinite;
                }

                if (text.ContainsAnyExcept(0))
                    vote[Nearest(text)]++;
            }
        }
        finally
        {
            ArrayPool<double>.Shared.Return(rented, clearArray: true); // it held the client's texts
        }

        return VoteArithmetic.TryScaleToUnit(vote, VoteArithmetic.SpreadThreshold) ? VoteKind.Counted : VoteKind.ZeroSpread;
    }

    /// <summary>The sum itself: here a vote is already in bins of candidates.</summary>
    public double[] Scores(ReadOnlySpan<double> sum) => sum.Length == Count
        ? sum.ToArray()
        : throw new ArgumentException($"the sum must have {Count} numbers, got {sum.Length}");

    private int Nearest(ReadOnlySpan<double> text)
    {
        int nearest = 0;
        double best = double.NegativeInfinity;
        for (int k = 0; k < Count; k++)
        {
            double cosine = FixedOrder.Dot(_candidates.Row(k), text) / _norms[k];
            if (cosine > best)
                (nearest, best) = (k, cosine);
        }

        return nearest;
    }
}
