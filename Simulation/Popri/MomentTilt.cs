using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Popri;

/// <summary>
/// Weights for texts such that their weighted mean embedding is a wanted one: of all such weights those that differ least from equal
/// ones, w_k in proportion to exp(theta . p_k) (maximum entropy; Jaynes 1957).
/// </summary>
/// <remarks>
/// theta minimises log sum_k exp(theta . p_k) - theta . m + rho |theta|^2 / 2, which is convex, by Newton's method with halved steps. At the
/// minimum the weighted mean misses m by rho theta: rho = 0 asks for m exactly, and has no solution where m lies outside of what texts can reach; a wanted
/// mean that carries noise is not to be met more closely than its noise. So rho is the least of a falling series of which the miss is within
/// the noise, or within 1% of the way where there is none.
/// Other than a best-of-n, which pushes along one direction as far as the n let it, this asks for as much as the wanted mean shows, in all
/// directions at once, and keeps the variety that the mean leaves open.
/// </remarks>
public static class MomentTilt
{
    private const int MostSteps = 60;
    private const double Precision = 1e-8;

    /// <summary>The weights.</summary>
    /// <param name="texts">Embeddings [n, d], rows of any length: their unit vectors count.</param>
    /// <param name="mean">The wanted mean [d] of unit vectors.</param>
    /// <param name="noise">Standard deviation of the noise on each number of <paramref name="mean"/>; 0 where there is none.</param>
    /// <returns>[n], positive, with sum 1.</returns>
    /// <exception cref="ArgumentException">Lengths differ, or a number is not finite.</exception>
    public static double[] Weights(EmbeddingMatrix texts, ReadOnlySpan<double> mean, double noise)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (mean.Length != texts.Dimension)
            throw new ArgumentException($"the mean must have {texts.Dimension} numbers, got {mean.Length}");
        foreach (double m in mean)
        {
            if (!double.IsFinite(m))
                throw new ArgumentException($"the mean must be finite, got {m}");
        }

        double[] norms = VoteArithmetic.Norms(texts);
        double[][] units = new double[texts.Rows][];
        for (int k = 0; k < units.Length; k++)
            VoteArithmetic.Unit(texts.Row(k), norms[k], units[k] = new double[texts.Dimension]);
        double[] wanted = mean.ToArray(), theta = new double[wanted.Length];
        double[] weights = [.. Enumerable.Repeat(1.0 / units.Length, units.Length)];
        double start = Miss(units, weights, wanted);
        double allowed = Math.Max(noise * Math.Sqrt(wanted.Length), 0.01 * start);
        for (double rho = 1; rho > 1e-7 && Miss(units, weights, wanted) > allowed; rho /= 2)
            weights = Solve(units, wanted, theta, rho);
        return weights;
    }

    private static double Miss(double[][] units, double[] weights, double[] wanted)
    {
        double[] reached = Mean(units, weights);
        for (int j = 0; j < reached.Length; j++)
            reached[j] -= wanted[j];
        return Math.Sqrt(FixedOrder.Dot((ReadOnlySpan<double>)reached, reached));
    }

    /// <summary>Newton's method from where theta stands, which it moves.</summary>
    private static double[] Solve(double[][] units, double[] wanted, double[] theta, double rho)
    {
        (double value, double[] weights) = Value(units, wanted, theta, rho);
        for (int step = 0; step < MostSteps; step++)
        {
            double[] mean = Mean(units, weights);
            double[] down = new double[theta.Length];
            for (int j = 0; j < down.Length; j++)
                down[j] = wanted[j] - mean[j] - (rho * theta[j]);
            double[][] curvature = Curvature(units, weights, mean);
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
                at = Value(units, wanted, next, rho);
                size /= 2;
            }
            while (at.value > value - (0.25 * size * slope) && size > 1e-6);
            next.CopyTo(theta, 0);
            (value, weights) = at;
        }

        return weights;
    }

    private static (double Value, double[] Weights) Value(double[][] units, double[] wanted, double[] theta, double rho)
    {
        var weights = new double[units.Length];
        Parallel.For(0, units.Length, k => weights[k] = FixedOrder.Dot((ReadOnlySpan<double>)units[k], theta));
        double largest = weights.Max();
        for (int k = 0; k < weights.Length; k++)
            weights[k] = Math.Exp(weights[k] - largest);
        double sum = FixedOrder.Sum(weights);
        for (int k = 0; k < weights.Length; k++)
            weights[k] /= sum;
        return (largest + Math.Log(sum) - FixedOrder.Dot((ReadOnlySpan<double>)theta, wanted) + (rho / 2 * FixedOrder.Dot((ReadOnlySpan<double>)theta, theta)), weights);
    }

    private static double[] Mean(double[][] units, double[] weights)
    {
        var mean = new double[units[0].Length];
        for (int k = 0; k < units.Length; k++)
        {
            double[] unit = units[k];
            for (int j = 0; j < mean.Length; j++)
                mean[j] += weights[k] * unit[j];
        }

        return mean;
    }

    private static double[][] Curvature(double[][] units, double[] weights, double[] mean)
    {
        double[,] scatter = Moments.Scatter(units.Length, mean.Length, (k, row) =>
        {
            double root = Math.Sqrt(weights[k]);
            for (int j = 0; j < row.Length; j++)
                row[j] = root * (units[k][j] - mean[j]);
        });
        var rows = new double[mean.Length][];
        for (int j = 0; j < rows.Length; j++)
        {
            rows[j] = new double[mean.Length];
            for (int l = 0; l < mean.Length; l++)
                rows[j][l] = scatter[j, l];
        }

        return rows;
    }
}
