using MathNet.Numerics;

namespace Chorus.Simulation.Privacy.Audit;

/// <summary>Binomial probabilities, and the exact confidence limits of a proportion (Clopper and Pearson 1934).</summary>
internal static class BinomialTails
{
    private const int Bisections = 60;

    /// <summary>P[Bin(trials, p) = k] for k = 0 .. trials. Each is right to about 10^-9 relative.</summary>
    /// <param name="logOdds">ln(p / (1 - p)): keeps 1 - p exact where p is next to 1.</param>
    public static double[] Probabilities(int trials, double logOdds)
    {
        // ln p = -ln(1 + e^-x), ln(1 - p) = ln p - x.
        double logP = -Math.Log(1 + Math.Exp(-logOdds));
        double logQ = logP - logOdds;
        var probabilities = new double[trials + 1];
        for (int k = 0; k <= trials; k++)
            probabilities[k] = Math.Exp(SpecialFunctions.BinomialLn(trials, k) + (k * logP) + ((trials - k) * logQ));
        return probabilities;
    }

    /// <summary>The p above which so few successes are rarer than <paramref name="error"/>: an upper limit of the true p.</summary>
    /// <param name="error">Probability, in (0, 1), that the limit lies below the true p.</param>
    public static double UpperLimit(int successes, int trials, double error)
    {
        // P[Bin(n, p) <= k] = I_{1-p}(n - k, k + 1) falls in p; the limit is where it passes `error`.
        if (successes == trials)
            return 1;
        double low = (double)successes / trials, high = 1;
        for (int i = 0; i < Bisections; i++)
        {
            double middle = (low + high) / 2;
            if (SpecialFunctions.BetaRegularized(trials - successes, successes + 1, 1 - middle) > error)
                low = middle;
            else
                high = middle;
        }

        return high;
    }

    /// <param name="error">Probability, in (0, 1), that the limit lies above the true p.</param>
    public static double LowerLimit(int successes, int trials, double error) => 1 - UpperLimit(trials - successes, trials, error);
}
