using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Metrics;

/// <summary>How far apart the means of two sets of embeddings are.</summary>
public static class MeanDistance
{
    /// <summary>The squared Euclidean distance of the means.</summary>
    /// <param name="a">[rows, d], at least one row.</param>
    /// <param name="b">[rows, d], at least one row.</param>
    /// <exception cref="ArgumentException">A set is empty or not finite, or the dimensions differ.</exception>
    public static double Squared(EmbeddingMatrix a, EmbeddingMatrix b)
    {
        FrechetDistance.RequireComparable(a, b, leastRows: 1);
        return Squared(Moments.Mean(a), Moments.Mean(b));
    }

    internal static double Squared(double[] a, double[] b)
    {
        double sum = 0;
        for (int j = 0; j < a.Length; j++)
            sum += (a[j] - b[j]) * (a[j] - b[j]);
        return sum;
    }
}
