using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Popri;

/// <summary>
/// What all releases of votes of shift say together about the clients' mean text, and which texts of any pool it asks for: candidates of this
/// round or another, texts that nobody has voted on, public ones.
/// </summary>
/// <remarks>
/// A release is y = sum over n clients of R (m_c - p) / C + z, but for the few votes that are clipped, with R, the candidates' mean p and C of
/// the round's candidates, m_c the mean of client c's unit text embeddings and z of deviation sigma. So R p + C y / n looks at R m, m the mean over clients, with noise
/// of deviation C sqrt(sigma^2 / n^2 + 1 / (n r)): the mechanism's, and that of the n clients being a sample themselves, whose votes of squared length up to 1
/// lie in r dimensions. The second part is the same in all rounds: of T rounds each has it T times over, so that their mean has it once.
/// Looks of several rounds add up by least squares, A m = h with A = sum of R^T R / v and h = sum of R^T (R p + C y / n) / v. With A = L^T L, the numbers
/// L m have noise of deviation 1 each; L is what texts are measured in, and <see cref="MomentTilt"/> weighs them.
/// All of it is post-processing of releases and public data.
/// </remarks>
/// <param name="dimension">Numbers in an embedding.</param>
public sealed class ReleasedMean(int dimension)
{
    private const double RankShare = 1e-9;

    private readonly List<(SubspaceScorer Scorer, double[] Sum, double Noise, double Clients)> _rounds = [];

    /// <summary>Takes a round's release in.</summary>
    /// <param name="scorer">Of the round's candidates, with votes of shift.</param>
    /// <param name="sum">[Rank], as released.</param>
    /// <param name="noiseMultiplier">Standard deviation of the noise on each number.</param>
    /// <param name="clients">What the sum is divided by: the public, expected number of votes.</param>
    /// <exception cref="ArgumentException">Votes are of direction, or a length does not fit.</exception>
    public void Add(SubspaceScorer scorer, ReadOnlySpan<double> sum, double noiseMultiplier, double clients)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        if (scorer.Dimension != dimension)
            throw new ArgumentException($"all rounds must have embeddings of {dimension} numbers, got {scorer.Dimension}");
        if (scorer.Mean.Length == 0)
            throw new ArgumentException("votes must be of shift, got votes of direction, which do not say how far");
        if (sum.Length != scorer.Rank)
            throw new ArgumentException($"the sum must have {scorer.Rank} numbers, got {sum.Length}");
        if (!(clients > 0))
            throw new ArgumentOutOfRangeException(nameof(clients), $"clients must be above 0, got {clients}");
        if (scorer.Rank > 0)
            _rounds.Add((scorer, sum.ToArray(), noiseMultiplier, clients));
    }

    /// <summary>Scores of texts: the logarithms of the weights with which their mean is the clients', as far as the releases tell.</summary>
    /// <param name="texts">Embeddings [n, dimension], rows of any length: their unit vectors count.</param>
    /// <returns>[n], finite, up to a constant; all equal where nothing was released.</returns>
    public double[] Scores(EmbeddingMatrix texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Dimension != dimension)
            throw new ArgumentException($"texts must have embeddings of {dimension} numbers, got {texts.Dimension}");
        if (_rounds.Count == 0)
            return new double[texts.Rows];
        var (factor, wanted) = Looks();
        double[] norms = VoteArithmetic.Norms(texts);
        var features = new double[texts.Rows][];
        Parallel.For(0, features.Length, k =>
        {
            var unit = new double[dimension];
            VoteArithmetic.Unit(texts.Row(k), norms[k], unit);
            features[k] = [.. factor.Select(row => FixedOrder.Dot((ReadOnlySpan<double>)row, unit))];
        });
        return MomentTilt.Exponents(features, wanted);
    }

    /// <summary>Texts of a pool, each as often as its weight says, up or down to a whole number (systematic sampling).</summary>
    /// <param name="scores">As <see cref="Scores"/> gives them.</param>
    /// <param name="count">How many to draw.</param>
    /// <param name="start">Where the first is drawn, in [0, 1): the one random number that it takes.</param>
    /// <returns>[count] indices, ascending.</returns>
    public static int[] Draw(double[] scores, int count, double start)
    {
        ArgumentNullException.ThrowIfNull(scores);
        if (!(start is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(start), $"start must be in [0, 1), got {start}");
        double[] weights = MomentTilt.Weights(scores);
        var drawn = new List<int>(count);
        double total = 0;
        for (int k = 0; k < weights.Length && drawn.Count < count; k++)
        {
            total += weights[k] * count;
            while (drawn.Count < count && start + drawn.Count < total)
                drawn.Add(k);
        }

        int last = drawn.Count > 0 ? drawn[^1] : Array.IndexOf(weights, weights.Max());
        while (drawn.Count < count)
            drawn.Add(last); // the weights' sum is 1 but for rounding
        return [.. drawn];
    }

    /// <summary>L [r][dimension], and L m as all releases have it [r].</summary>
    private (double[][] Factor, double[] Wanted) Looks()
    {
        var precision = new double[dimension, dimension];
        var evidence = new double[dimension];
        foreach (var (scorer, sum, noise, clients) in _rounds)
        {
            double variance = scorer.Clip * scorer.Clip * ((noise * noise / clients / clients) + (_rounds.Count / clients / scorer.Rank));
            double[] back = scorer.Back(sum);
            for (int j = 0; j < dimension; j++)
            {
                evidence[j] += scorer.Clip / clients * back[j] / variance;
                for (int l = 0; l < dimension; l++)
                {
                    precision[j, l] += scorer.Scatter[j, l] / variance;
                    evidence[j] += scorer.Scatter[j, l] * scorer.Mean[l] / variance;
                }
            }
        }

        var (factor, pivots) = SymmetricMatrix.Factor(precision, RankShare);
        // h = L^T (L m), and L's pivot columns are upper triangular.
        var wanted = new double[factor.Length];
        for (int k = 0; k < wanted.Length; k++)
        {
            wanted[k] = evidence[pivots[k]];
            for (int i = 0; i < k; i++)
                wanted[k] -= factor[i][pivots[k]] * wanted[i];
            wanted[k] /= factor[k][pivots[k]];
        }

        return (factor, wanted);
    }
}
