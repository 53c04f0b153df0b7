namespace Chorus.Simulation.Popri;

/// <summary>
/// The published POPri score of a whole population, in double and with plain loops: what <see cref="CandidateScorer"/>
/// is checked against, and the noise-free score of a small run.
/// </summary>
/// <remarks>
/// POPri, arXiv:2504.16438 and its code. For each client: sum over its texts of the cosine with every candidate;
/// standardise over the candidates; clip to L2 norm 1. The published score is the mean of that over clients (divide by
/// the number of clients), and without clipping the mean of the bare sums: standardising belongs to clipping there. Mean
/// or sum over a client's texts, and the degrees of freedom of the deviation, make no difference once clipped: after
/// standardising over n candidates the norm is sqrt(n) or sqrt(n-1), at least 1 from two candidates on, so clipping always
/// scales to 1. What the published code gets wrong is put right here: no spread gives a zero vote, not NaN.
/// </remarks>
public static class PopriScores
{
    /// <summary>Sum over clients of their scores.</summary>
    /// <param name="candidates">Candidate embeddings [count][d], of any length; a zero row has cosine 0 with everything.</param>
    /// <param name="clients">Each client's text embeddings [n][d], of any length.</param>
    /// <param name="clip">True: standardised and clipped to L2 norm 1. False: the bare sums of cosines.</param>
    /// <returns>One score a candidate; the caller owns the array.</returns>
    /// <exception cref="ArgumentException">A candidate is not finite, or a row's length differs.</exception>
    public static double[] Sum(IReadOnlyList<double[]> candidates, IReadOnlyList<IReadOnlyList<double[]>> clients, bool clip = true)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(clients);
        if (candidates.Count == 0)
            throw new ArgumentException("there must be at least one candidate");
        int dimension = candidates[0].Length;
        double[][] units = [.. candidates.Select((c, i) => Unit(c, dimension)
            ?? throw new ArgumentException($"candidate {i} must be finite"))];

        var total = new double[units.Length];
        foreach (IReadOnlyList<double[]> texts in clients)
        {
            double[] score = One(units, texts, dimension, clip);
            for (int k = 0; k < total.Length; k++)
                total[k] += score[k];
        }

        return total;
    }

    private static double[] One(double[][] candidates, IReadOnlyList<double[]> texts, int dimension, bool clip)
    {
        var score = new double[candidates.Length];
        foreach (double[] text in texts)
        {
            if (Unit(text, dimension) is not { } unit)
                return new double[candidates.Length];
            for (int k = 0; k < score.Length; k++)
                score[k] += Dot(candidates[k], unit);
        }

        if (!clip)
            return score;
        double mean = score.Average();
        double deviation = Math.Sqrt(score.Sum(s => (s - mean) * (s - mean)) / score.Length);
        if (!(deviation > VoteArithmetic.SpreadThreshold * texts.Count))
            return new double[candidates.Length];
        double[] standardised = [.. score.Select(s => (s - mean) / deviation)];
        double norm = Math.Sqrt(Dot(standardised, standardised));
        return [.. standardised.Select(z => z / Math.Max(1, norm))];
    }

    // The vector over its norm; zero for zero, null when it is not finite. The largest element goes first so that squares
    // of very large or very small elements neither overflow nor vanish.
    private static double[]? Unit(double[] vector, int dimension)
    {
        if (vector.Length != dimension)
            throw new ArgumentException($"every embedding must have {dimension} numbers, got {vector.Length}");
        if (!vector.All(double.IsFinite))
            return null;
        double largest = vector.Length == 0 ? 0 : vector.Max(Math.Abs);
        if (largest == 0)
            return vector;
        double[] scaled = [.. vector.Select(x => x / largest)];
        double norm = Math.Sqrt(Dot(scaled, scaled));
        return [.. scaled.Select(x => x / norm)];
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
