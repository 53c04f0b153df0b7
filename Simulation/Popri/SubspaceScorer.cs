using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Popri;

/// <summary>
/// The same vote as <see cref="CandidateScorer"/>, written in the few dimensions that votes can lie in. Released there, its
/// scores carry sqrt(Rank / Count) of the noise for the same epsilon, and a client sends Rank numbers in place of Count.
/// </summary>
/// <remarks>
/// Let Pc [N, d] hold the unit candidates less their mean. A vote is v = Pc s / |Pc s|, so all votes lie in the column space
/// of Pc, which is public. Factor Pc^T Pc = R^T R (Cholesky with pivoting, R [r, d]). Then |R s| = |Pc s|, and u = R s / |R s|,
/// of norm 1 in r dimensions, is v in the orthonormal basis U = Pc R^-1: v = U u. Sum of u plus Gaussian noise has the
/// sensitivity, and so the epsilon, of the sum of v plus the same noise; the scores are U times it, which is
/// post-processing. U is never formed: with T w = y for the triangle T of R's pivot columns, the score of candidate k is
/// p_k . w / |p_k| - mean . w, w taking its place at the pivots.
/// Where candidates come in groups and only ranks within a group are of interest, Pc holds them less their group's mean: what lies
/// between groups then takes none of a vote's norm.
/// Directions that hold less than 10^-10 of the widest one's squared spread, or that rounding alone could make, are left
/// out: scores would divide by them.
/// A vote of direction says which candidates a client likes best, not by how much it differs from them. A vote of <em>shift</em> does: it is
/// R (s / n - p) for n texts and the candidates' mean p, divided by its norm or by <see cref="Clip"/>, whichever is more. What all share, and
/// so tells candidates apart for nobody, takes none of its norm; and a sum of votes says how far the clients' mean text lies from the
/// candidates' (<see cref="ReleasedMean"/>). Its norm is at most 1 as before, and so is its sensitivity.
/// Immutable; any number of threads may vote.
/// </remarks>
public sealed class SubspaceScorer : IBlockScorer
{
    private const double RankShare = 1e-10;

    // A client of several texts lies nearer to the candidates' mean than a single text does: of the shipped corpora's clients half are within this share.
    private const double ClipShare = 0.65;

    private readonly EmbeddingMatrix _candidates;
    private readonly double[] _norms;
    private readonly int _groupSize;
    private readonly double[][] _means;   // of each group's unit candidates
    private readonly double[][] _rows;   // R, [Rank][Dimension]
    private readonly int[] _pivots;
    private readonly FixedOrderProduct _product;   // R once more, as products read it
    private readonly double[]? _origin;   // R p [Rank]; null where votes are of direction

    /// <param name="candidates">[Count, Dimension], rows of any length; a zero row has similarity 0 with everything.</param>
    /// <param name="groupSize">Candidates of a group, which votes are centred over: a divisor of Count. Null: all are one group.</param>
    /// <exception cref="ArgumentException">A candidate is not finite, or there are none or more than 2^20, or groups do not come out even.</exception>
    /// <param name="shift">Votes of shift, not of direction.</param>
    public SubspaceScorer(EmbeddingMatrix candidates, int? groupSize = null, bool shift = false)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        if (candidates.Rows is < 1 or > CandidateScorer.MaxCandidates)
            throw new ArgumentException($"candidates must number 1 to {CandidateScorer.MaxCandidates}, got {candidates.Rows}");
        _candidates = candidates;
        _norms = VoteArithmetic.Norms(candidates);
        _groupSize = groupSize ?? candidates.Rows;
        if (_groupSize < 1 || candidates.Rows % _groupSize != 0)
            throw new ArgumentException($"the group size must divide the {candidates.Rows} candidates, got {_groupSize}");
        _means = [.. Enumerable.Range(0, candidates.Rows / _groupSize).Select(MeanOf)];
        Scatter = Moments.Scatter(candidates.Rows, candidates.Dimension, (k, row) =>
        {
            VoteArithmetic.Unit(candidates.Row(k), _norms[k], row);
            double[] mean = _means[k / _groupSize];
            for (int j = 0; j < row.Length; j++)
                row[j] -= mean[j];
        });
        (_rows, _pivots) = SymmetricMatrix.Factor(Scatter, RankShare, candidates.Rows * VoteArithmetic.SpreadThreshold * VoteArithmetic.SpreadThreshold);
        _product = new FixedOrderProduct(_rows.Length, candidates.Dimension, (i, row) => _rows[i].CopyTo(row));
        if (shift)
            (Mean, _origin, Clip) = Origin();
    }

    /// <summary>Of votes of shift: the mean p of the unit candidates [Dimension]. Empty for votes of direction.</summary>
    internal double[] Mean { get; } = [];

    /// <summary>Of votes of shift: the length at which they are clipped, set by how far single candidates lie from their mean. 0 for votes of direction.</summary>
    internal double Clip { get; }

    /// <summary>Pc^T Pc [Dimension, Dimension].</summary>
    internal double[,] Scatter { get; }

    /// <summary>Number of candidates.</summary>
    public int Count => _candidates.Rows;

    /// <summary>Numbers in an embedding.</summary>
    public int Dimension => _candidates.Dimension;

    /// <summary>Numbers in a vote: at most Dimension and at most Count less the groups; 0 when all candidates of each group point one way.</summary>
    public int Rank => _rows.Length;

    /// <summary>Numbers in a vote: <see cref="Rank"/>.</summary>
    public int VoteLength => Rank;

    /// <summary>One client's vote in the basis U.</summary>
    /// <param name="textEmbeddings">The client's texts [n, Dimension], row-major; rows of any length, a zero row adds nothing.</param>
    /// <param name="vote">[Rank], overwritten. Its norm is at most 1 in exact arithmetic; zero unless the result is Counted.</param>
    /// <returns>What became of the vote.</returns>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote) => VoteArithmetic.OneVote(this, textEmbeddings, vote);

    /// <inheritdoc/>
    public VoteKind Summarise(ReadOnlySpan<float> textEmbeddings, Span<double> summary) =>
        VoteArithmetic.Summarise(textEmbeddings, Dimension, summary);

    /// <inheritdoc/>
    public void Multiply(ReadOnlySpan<double> summaries, Span<double> products) => _product.Multiply(summaries, products);

    /// <inheritdoc/>
    public VoteKind Finish(int texts, Span<double> vote)
    {
        VoteArithmetic.RequireLength(vote, Rank);
        if (_origin is { } origin)
            return FinishShift(texts, vote, origin);
        return VoteArithmetic.TryScaleToUnit(vote, VoteArithmetic.SpreadThreshold * texts * Math.Sqrt(Count))
            ? VoteKind.Counted
            : VoteKind.ZeroSpread;
    }

    private VoteKind FinishShift(int texts, Span<double> vote, double[] origin)
    {
        if (Rank == 0)
            return VoteKind.ZeroSpread;
        for (int i = 0; i < vote.Length; i++)
            vote[i] = (vote[i] / texts) - origin[i];
        VoteArithmetic.ClipToUnit(vote, Clip);
        return VoteKind.Counted;
    }

    /// <summary>The candidates' mean, R times it, and the length at which votes of shift are clipped.</summary>
    private (double[] Mean, double[] Origin, double Clip) Origin()
    {
        var mean = new double[Dimension];
        foreach (double[] group in _means)
        {
            for (int j = 0; j < mean.Length; j++)
                mean[j] += group[j] / _means.Length;
        }

        double[] origin = new double[Rank];
        _product.Multiply(mean, origin);
        // The candidates' mean square of |R (p_k - p)| is the trace of R (R^T R) R^T, over their number.
        double squares = 0;
        for (int i = 0; i < Rank; i++)
        {
            for (int k = 0; k < Rank; k++)
            {
                double inner = FixedOrder.Dot((ReadOnlySpan<double>)_rows[i], _rows[k]);
                squares += inner * inner;
            }
        }

        return (mean, origin, ClipShare * Math.Sqrt(squares / Count));
    }

    /// <summary>The scores of all candidates from a sum of votes, with noise or without: U times the sum.</summary>
    /// <param name="sum">[Rank].</param>
    /// <returns>[Count], owned by the caller.</returns>
    public double[] Scores(ReadOnlySpan<double> sum)
    {
        if (sum.Length != Rank)
            throw new ArgumentException($"the sum must have {Rank} numbers, got {sum.Length}");
        // T[i, k] = R[i, pivot k] is upper triangular, so T w = sum is solved from the last element.
        var solution = sum.ToArray();
        for (int i = Rank - 1; i >= 0; i--)
        {
            for (int k = i + 1; k < Rank; k++)
                solution[i] -= _rows[i][_pivots[k]] * solution[k];
            solution[i] /= _rows[i][_pivots[i]];
        }

        var direction = new double[Dimension];
        for (int i = 0; i < Rank; i++)
            direction[_pivots[i]] = solution[i];
        double[] offsets = [.. _means.Select(m => FixedOrder.Dot((ReadOnlySpan<double>)m, direction))];
        var scores = new double[Count];
        for (int k = 0; k < scores.Length; k++)
            scores[k] = (FixedOrder.Dot(_candidates.Row(k), direction) / _norms[k]) - offsets[k / _groupSize];
        return scores;
    }

    /// <summary>R^T times a sum [Rank]: what it says of the direction that it was made of, [Dimension].</summary>
    internal double[] Back(ReadOnlySpan<double> sum)
    {
        if (sum.Length != Rank)
            throw new ArgumentException($"the sum must have {Rank} numbers, got {sum.Length}");
        var back = new double[Dimension];
        for (int i = 0; i < Rank; i++)
        {
            for (int j = 0; j < back.Length; j++)
                back[j] += _rows[i][j] * sum[i];
        }

        return back;
    }

    private double[] MeanOf(int group)
    {
        double[] mean = new double[Dimension], unit = new double[Dimension];
        for (int k = group * _groupSize; k < (group + 1) * _groupSize; k++)
        {
            VoteArithmetic.Unit(_candidates.Row(k), _norms[k], unit);
            for (int j = 0; j < mean.Length; j++)
                mean[j] += unit[j] / _groupSize;
        }

        return mean;
    }
}
