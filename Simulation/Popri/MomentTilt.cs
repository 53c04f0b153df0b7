using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Popri;

/// <summary>
/// Weights for texts such that their weighted mean is a wanted one, as far as the wanted one can be told from noise: of all such
/// weights those that differ least from equal ones, w_k in proportion to exp(theta . f_k) (maximum entropy; Jaynes 1957).
/// </summary>
/// <remarks>
/// theta minimises log mean_k exp(theta . f_k) - theta . m + rho |theta|^2 / 2, which is convex, by Newton's method with halved steps; rho = 0
/// asks for the mean m exactly, noise and all. With features scaled so that each number of m carries noise of deviation 1, rho is the one whose
/// mean has the least expected squared error by Stein's unbiased estimate (Stein 1981), with the mean linear in theta as it is for small
/// ones: with S the features' covariance and b = m - mean_k f_k, theta = (S + rho)^-1 b reaches S theta of b, and
/// |b - S theta|^2 + 2 tr(S (S + rho)^-1) is least. That estimate is itself off by about sqrt(2 r), so of all rho that come as close as twice that
/// to the least the largest is taken: where the mean shows nothing but noise, weights stay equal.
/// Other than a best-of-n, which pushes along one direction as far as the n let it, this asks for as much as the wanted mean shows, in all
/// directions at once, and keeps the variety that the mean leaves open. It is also the policy that a preference optimisation with reward
/// theta . f aims at (Rafailov et al., arXiv:2305.18290, eq. 4).
/// </remarks>
internal static class MomentTilt
{
    private const int MostSteps = 30;
    private const double Precision = 1e-6;

    /// <summary>The logarithms of the weights, up to a constant.</summary>
    /// <param name="features">[n][r] of the texts.</param>
    /// <param name="wanted">The wanted mean [r], each number with noise of standard deviation 1.</param>
    /// <returns>[n], finite.</returns>
    public static double[] Exponents(double[][] features, double[] wanted)
    {
        double[] equal = [.. Enumerable.Repeat(1.0 / features.Length, features.Length)];
        double[] mean = Mean(features, equal);
        double[] off = [.. wanted.Zip(mean, (m, f) => m - f)];
        double[][] spread = Curvature(features, equal, mean);
        double[] theta = Ridge(spread, off) is { } rho ? Solve(features, wanted, rho) : new double[wanted.Length];
        return [.. features.Select(f => FixedOrder.Dot((ReadOnlySpan<double>)f, theta))];
    }

    /// <summary>Weights from their logarithms.</summary>
    /// <returns>Positive or, where one is beyond comparison, 0; of sum 1.</returns>
    public static double[] Weights(double[] exponents)
    {
        double largest = exponents.Max();
        double[] weights = [.. exponents.Select(e => Math.Exp(e - largest))];
        double sum = FixedOrder.Sum(weights);
        return [.. weights.Select(w => w / sum)];
    }

    /// <summary>The largest rho that is about as good as the best, among powers of two times the largest spread; null for infinity.</summary>
    private static double? Ridge(double[][] spread, double[] off)
    {
        double[] eigenvalues = SymmetricMatrix.Eigenvalues(Copy(spread));
        var risks = new List<(double? Rho, double Risk)> { (null, FixedOrder.Dot((ReadOnlySpan<double>)off, off)) };
        for (double rho = 64 * eigenvalues[^1]; rho > 1e-7 * eigenvalues[^1]; rho /= 2)
        {
            double[][] system = Copy(spread);
            for (int j = 0; j < system.Length; j++)
                system[j][j] += rho;
            double[] theta = [.. off];
            SymmetricMatrix.Solve(system, theta);
            // b - S theta is rho theta.
            risks.Add((rho, (rho * rho * FixedOrder.Dot((ReadOnlySpan<double>)theta, theta)) + (2 * eigenvalues.Sum(s => s / (s + rho)))));
        }

        double enough = risks.Min(r => r.Risk) + (2 * Math.Sqrt(2.0 * off.Length));
        return risks.First(r => r.Risk <= enough).Rho;
    }

    private static double[] Solve(double[][] features, double[] wanted, double rho)
    {
        var theta = new double[wanted.Length];
        (double value, double[] weights) = Value(features, wanted, theta, rho);
        for (int step = 0; step < MostSteps; step++)
        {
            double[] mean = Mean(features, weights);
            double[] down = new double[theta.Length];
            for (int j = 0; j < down.Length; j++)
                down[j] = wanted[j] - mean[j] - (rho * theta[j]);
            double[][] curvature = Curvature(features, weights, mean);
            for (int j = 0; j < down.Length; j++)
                curvature[j][j] += rho;
            double[] move = [.. down];
            SymmetricMatrix.Solve(curvature, move);
            double slope = FixedOrder.Dot((ReadOnlySpan<double>)down, move);
            if (!(slope > Precision))
                break;
            double size = 1;
            double[] next;
            (double value, double[] weights) at;
            do
            {
                next = [.. theta.Select((t, j) => t + (size * move[j]))];
                at = Value(features, wanted, next, rho);
                size /= 2;
            }
            while (!(at.value <= value - (0.25 * size * slope)) && size > 1e-6);
            if (!(at.value < value))
                break;
            next.CopyTo(theta, 0);
            (value, weights) = at;
        }

        return theta;
    }

    private static (double Value, double[] Weights) Value(double[][] features, double[] wanted, double[] theta, double rho)
    {
        var exponents = new double[features.Length];
        Parallel.For(0, features.Length, k => exponents[k] = FixedOrder.Dot((ReadOnlySpan<double>)features[k], theta));
        double largest = exponents.Max();
        double logSum = largest + Math.Log(exponents.Sum(e => Math.Exp(e - largest)));
        return (logSum - FixedOrder.Dot((ReadOnlySpan<double>)theta, wanted) + (rho / 2 * FixedOrder.Dot((ReadOnlySpan<double>)theta, theta)), Weights(exponents));
    }

    private static double[] Mean(double[][] features, double[] weights)
    {
        var mean = new double[features[0].Length];
        for (int k = 0; k < features.Length; k++)
        {
            double[] own = features[k];
            for (int j = 0; j < mean.Length; j++)
                mean[j] += weights[k] * own[j];
        }

        return mean;
    }

    private static double[][] Curvature(double[][] features, double[] weights, double[] mean)
    {
        double[,] scatter = Moments.Scatter(features.Length, mean.Length, (k, row) =>
        {
            double root = Math.Sqrt(weights[k]);
            for (int j = 0; j < row.Length; j++)
                row[j] = root * (features[k][j] - mean[j]);
        });
        return [.. Enumerable.Range(0, mean.Length).Select(j => Enumerable.Range(0, mean.Length).Select(l => scatter[j, l]).ToArray())];
    }

    private static double[][] Copy(double[][] a) => [.. a.Select(row => (double[])row.Clone())];
}
