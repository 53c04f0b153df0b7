using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Popri;

/// <summary>
/// Makes the published POPri vote of one client after another, or of many at once, against one set of candidates. Prepared once
/// a node and shared by all its clients: it never changes, and its methods may run on any number of threads.
/// </summary>
/// <remarks>
/// The sum of a client's cosines with candidate p is (p / |p|) . s, with s the sum of its texts' unit embeddings: one inner
/// product a candidate, however many texts there are. Everything after the float32 inputs is in double and in a written
/// order (<see cref="FixedOrder"/>, <see cref="FixedOrderProduct"/>), so a vote has the same bits on every machine.
/// The norm of a vote is at most 1 to the last bit: see <see cref="VoteArithmetic"/>.
/// </remarks>
public sealed class CandidateScorer : IBlockScorer
{
    /// <summary>The most candidates for which the norm of a vote is proven to be at most 1.</summary>
    public const int MaxCandidates = VoteArithmetic.LongestVote;

    private readonly FixedOrderProduct _units;

    /// <param name="candidates">[Count, Dimension], rows of any length; a zero row has similarity 0 with everything.</param>
    /// <exception cref="ArgumentException">A candidate is not finite, or there are none or more than 2^20.</exception>
    public CandidateScorer(EmbeddingMatrix candidates)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        if (candidates.Rows is < 1 or > MaxCandidates)
            throw new ArgumentException($"candidates must number 1 to {MaxCandidates}, got {candidates.Rows}");
        double[] norms = VoteArithmetic.Norms(candidates);
        _units = new FixedOrderProduct(candidates.Rows, candidates.Dimension, (k, unit) => VoteArithmetic.Unit(candidates.Row(k), norms[k], unit));
    }

    /// <summary>Number of candidates.</summary>
    public int Count => _units.Rows;

    /// <summary>Numbers in an embedding.</summary>
    public int Dimension => _units.Dimension;

    /// <summary>Numbers in a vote: one a candidate.</summary>
    public int VoteLength => Count;

    /// <summary>One client's vote: its summed cosines, standardised over the candidates, clipped to L2 norm 1.</summary>
    /// <param name="textEmbeddings">The client's texts [n, Dimension], row-major; rows of any length, a zero row adds nothing.</param>
    /// <param name="vote">[Count], overwritten. Its norm is at most 1 in exact arithmetic; zero unless the result is Counted.</param>
    /// <returns>What became of the vote.</returns>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote) => VoteArithmetic.OneVote(this, textEmbeddings, vote);

    /// <inheritdoc/>
    public VoteKind Summarise(ReadOnlySpan<float> textEmbeddings, Span<double> summary) =>
        VoteArithmetic.Summarise(textEmbeddings, Dimension, summary);

    /// <inheritdoc/>
    public void Multiply(ReadOnlySpan<double> summaries, Span<double> products) => _units.Multiply(summaries, products);

    /// <inheritdoc/>
    public VoteKind Finish(int texts, Span<double> vote)
    {
        VoteArithmetic.RequireLength(vote, Count);
        Elementwise.Subtract(vote, FixedOrder.Sum(vote) / vote.Length);

        // Dividing by the deviation and then clipping is dividing by the norm: a standardised vector has norm sqrt(Count),
        // and a spread that is not zero needs two candidates.
        return VoteArithmetic.TryScaleToUnit(vote, VoteArithmetic.SpreadThreshold * texts * Math.Sqrt(vote.Length))
            ? VoteKind.Counted
            : VoteKind.ZeroSpread;
    }

    /// <summary>The sum itself: here a vote is already in scores.</summary>
    public double[] Scores(ReadOnlySpan<double> sum) => sum.Length == Count
        ? sum.ToArray()
        : throw new ArgumentException($"the sum must have {Count} numbers, got {sum.Length}");
}
