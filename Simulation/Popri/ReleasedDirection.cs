using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Popri;

/// <summary>
/// What subspace releases say, all together, about the one direction in embedding space that scores any text: those that were
/// candidates, those of other rounds, and those that nobody has voted on.
/// </summary>
/// <remarks>
/// A release is y = R d + z with R of the round's candidates, d the sum over clients of s / |R s|, and z of known deviation sigma. d hardly
/// depends on the round, for R enters it only by the weight of each client; so releases of several rounds are looks at one d. It is estimated
/// by its posterior mean under d ~ N(0, tau^2 C), with C the candidates' own covariance: what sets private texts apart from public ones lies
/// where texts differ at all. With C = L L^T and d = L e,
/// <code>(sum over rounds of L^T R^T R L / sigma^2 + I / tau^2) e = sum over rounds of L^T R^T y / sigma^2,</code>
/// a filter that lets through of each direction what stands out of the noise. tau^2 is what the releases' own size says: |y|^2 is
/// sigma^2 Rank + tau^2 tr(L^T R^T R L) in expectation. All of it is post-processing of releases and public texts.
/// </remarks>
public sealed class ReleasedDirection
{
    private const double RankShare = 1e-10;

    private readonly int _dimension;
    private readonly double[,] _scatter;    // of all rounds' candidates
    private readonly double[,] _precision;  // sum of R^T R / sigma^2
    private readonly double[] _evidence;    // sum of R^T y / sigma^2
    private double _excess;                 // sum of (|y|^2 - sigma^2 Rank) / sigma^2

    /// <param name="dimension">Numbers in an embedding.</param>
    public ReleasedDirection(int dimension)
    {
        _dimension = dimension;
        (_scatter, _precision, _evidence) = (new double[dimension, dimension], new double[dimension, dimension], new double[dimension]);
    }

    /// <summary>Takes a round's release in.</summary>
    /// <param name="scorer">Of the round's candidates.</param>
    /// <param name="sum">[Rank], as released.</param>
    /// <param name="noiseMultiplier">Standard deviation of the noise on each number; 0 counts as very little.</param>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public void Add(SubspaceScorer scorer, ReadOnlySpan<double> sum, double noiseMultiplier)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        if (scorer.Dimension != _dimension)
            throw new ArgumentException($"all rounds must have embeddings of {_dimension} numbers, got {scorer.Dimension}");
        double[] back = scorer.Back(sum);
        double square = FixedOrder.Dot(sum, sum);
        double variance = Math.Max(noiseMultiplier * noiseMultiplier, 1e-9 * square / Math.Max(1, scorer.Rank));
        if (variance == 0)
            return;
        for (int j = 0; j < _dimension; j++)
        {
            _evidence[j] += back[j] / variance;
            for (int l = 0; l < _dimension; l++)
            {
                _scatter[j, l] += scorer.Scatter[j, l];
                _precision[j, l] += scorer.Scatter[j, l] / variance;
            }
        }

        _excess += (square / variance) - scorer.Rank;
    }

    /// <summary>The posterior mean of the direction, up to scale where the releases show nothing but noise.</summary>
    /// <returns>[dimension], owned by the caller; zero where nothing was released.</returns>
    public double[] Estimate()
    {
        var direction = new double[_dimension];
        (double[][] columns, _) = SymmetricMatrix.Factor(_scatter, RankShare);
        if (columns.Length == 0)
            return direction;
        double[][] system = SymmetricMatrix.Congruence(columns, _precision);
        double trace = 0;
        for (int i = 0; i < columns.Length; i++)
            trace += system[i][i];
        double[] solution = [.. columns.Select(c => FixedOrder.Dot((ReadOnlySpan<double>)c, _evidence))];
        if (_excess > 0)
        {
            for (int i = 0; i < columns.Length; i++)
                system[i][i] += trace / _excess; // 1 / tau^2
            SymmetricMatrix.Solve(system, solution);
        }

        for (int i = 0; i < columns.Length; i++)
        {
            for (int j = 0; j < _dimension; j++)
                direction[j] += columns[i][j] * solution[i];
        }

        return direction;
    }

    /// <summary>Scores of texts: of each embedding's unit vector along a direction.</summary>
    public static double[] Scores(ReadOnlySpan<double> direction, EmbeddingMatrix texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        double[] norms = VoteArithmetic.Norms(texts), scores = new double[texts.Rows];
        for (int k = 0; k < scores.Length; k++)
            scores[k] = FixedOrder.Dot(texts.Row(k), direction) / norms[k];
        return scores;
    }
}
