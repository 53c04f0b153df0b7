using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Metrics;

/// <summary>
/// The Fréchet distance of two sets of embeddings, each taken for a Gaussian (FID; Heusel et al., arXiv:1706.08500, eq. 6;
/// Dowson and Landau 1982): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).
/// </summary>
/// <remarks>
/// tr (C1 C2)^(1/2) is the sum of the roots of the eigenvalues of C1 C2. With C1 = L L^T, C1 C2 and the symmetric L^T C2 L
/// have the same eigenvalues but for zeros, so one factorization and one symmetric eigenvalue problem do, no matrix roots.
/// C1 may be singular (fewer rows than dimensions): the factorization pivots and stops at the rank r, and the problem is
/// then only [r, r]. An eigenvalue that is zero comes out as about 10^-16 of the largest, its root as 10^-8: expect 10^-7
/// of tr C in all, not 10^-15.
/// </remarks>
public static class FrechetDistance
{
    /// <param name="a">[rows, d], at least two rows.</param>
    /// <param name="b">[rows, d], at least two rows.</param>
    /// <returns>At least 0; the same bits for any number of threads.</returns>
    /// <exception cref="ArgumentException">Fewer than two rows, a number that is not finite, or dimensions that differ.</exception>
    public static double Between(EmbeddingMatrix a, EmbeddingMatrix b)
    {
        RequireComparable(a, b, leastRows: 2);
        double[] meanA = Moments.Mean(a);
        double[] meanB = Moments.Mean(b);
        double[,] covarianceA = Moments.Covariance(a, meanA);
        double[,] covarianceB = Moments.Covariance(b, meanB);
        double overlap = 0;
        (double[][] factor, _) = SymmetricMatrix.Factor(covarianceA, share: 2.3e-16);
        foreach (double eigenvalue in SymmetricMatrix.Eigenvalues(SymmetricMatrix.Congruence(factor, covarianceB)))
            overlap += Math.Sqrt(Math.Max(0, eigenvalue));
        double spread = 0;
        for (int j = 0; j < a.Dimension; j++)
            spread += covarianceA[j, j] + covarianceB[j, j];
        return Math.Max(0, MeanDistance.Squared(meanA, meanB) + spread - (2 * overlap));
    }

    internal static void RequireComparable(EmbeddingMatrix a, EmbeddingMatrix b, int leastRows)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Dimension != b.Dimension)
            throw new ArgumentException($"both sets must have one dimension, got {a.Dimension} and {b.Dimension}");
        if (a.Rows < leastRows || b.Rows < leastRows)
            throw new ArgumentException($"each set must have at least {leastRows} rows, got {a.Rows} and {b.Rows}");
    }
}
