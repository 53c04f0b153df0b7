using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Tests.Privacy.Accounting;

/// <summary>
/// delta(epsilon) of the worst neighbours, straight from the densities by sums over fine steps. Shares nothing with the
/// accountants but the statement of what the worst neighbours are, which <see cref="WorstCaseTests"/> attacks.
/// </summary>
internal static class BruteForce
{
    private const double Reach = 12;

    public static double Delta(double epsilon, double q, double noise, Adjacency adjacency, bool fixedSize)
    {
        const double step = 1e-4;
        double worst = 0;
        foreach (var (p, other) in Pairs(q, noise, adjacency, fixedSize))
        {
            double sum = 0;
            for (double x = -Reach; x < Reach; x += step)
                sum += Math.Max(0, p(x) - (Math.Exp(epsilon) * other(x)));
            worst = Math.Max(worst, sum * step);
        }

        return worst;
    }

    public static double DeltaOfTwo(double epsilon, double q, double noise, Adjacency adjacency, bool fixedSize)
    {
        const double step = 0.01;
        double worst = 0;
        foreach (var (p, other) in Pairs(q, noise, adjacency, fixedSize))
        {
            int count = (int)(2 * Reach / step);
            double[] ps = [.. Enumerable.Range(0, count).Select(i => p(-Reach + ((i + 0.5) * step)))];
            double[] others = [.. Enumerable.Range(0, count).Select(i => other(-Reach + ((i + 0.5) * step)))];
            double sum = 0, factor = Math.Exp(epsilon);
            for (int i = 0; i < count; i++)
            {
                for (int j = 0; j < count; j++)
                    sum += Math.Max(0, (ps[i] * ps[j]) - (factor * others[i] * others[j]));
            }

            worst = Math.Max(worst, sum * step * step);
        }

        return worst;
    }

    private static IEnumerable<(Func<double, double> P, Func<double, double> Q)> Pairs(double q, double noise, Adjacency adjacency, bool fixedSize)
    {
        double mu = (fixedSize ? 2 : 1) / noise;
        double Normal(double x, double mean) => Math.Exp(-(x - mean) * (x - mean) / 2) / Math.Sqrt(2 * Math.PI);
        double Mixed(double x, double mean) => ((1 - q) * Normal(x, 0)) + (q * Normal(x, mean));
        if (adjacency == Adjacency.ReplaceOne && !fixedSize)
        {
            yield return (x => Mixed(x, mu), x => Mixed(x, -mu));
        }
        else if (adjacency == Adjacency.ReplaceOne)
        {
            // Larger of both where the loss is positive, mirrored where it is negative; equal in between.
            double middle = mu / 2;
            double zero = 1 - Mass(x => Mixed(x, mu), middle) - Mass(x => Normal(x, 0), middle);
            double P(double x) => x > middle ? Mixed(x, mu) : x < -middle ? Normal(-x, 0) : zero / (2 * middle);
            yield return (P, x => P(-x));
        }
        else
        {
            yield return (x => Mixed(x, mu), x => Normal(x, 0));
            yield return (x => Normal(x, 0), x => Mixed(x, mu));
        }
    }

    private static double Mass(Func<double, double> density, double from)
    {
        const double step = 1e-4;
        double sum = 0;
        for (double x = from + (step / 2); x < Reach; x += step)
            sum += density(x);
        return sum * step;
    }
}
