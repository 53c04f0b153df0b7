using MathNet.Numerics.Distributions;

namespace Chorus.Simulation.Privacy.Audit;

/// <summary>
/// What scores say if the mechanism's trade-off curve is a Gaussian's: telling a canary in from a canary out is then telling
/// N(mu, 1) from N(0, 1), and one point (false alarms, hits) gives mu (Nasr et al., Tight Auditing of Differentially Private
/// Machine Learning, arXiv:2302.07956, section 4). Far sharper than <see cref="OneRunBound"/> from few canaries, and worth as
/// much as its two assumptions: that curve, and scores that do not depend on one another.
/// </summary>
/// <param name="Threshold">A score above it is read as 'in': the median of all scores, chosen without looking at who is in.</param>
/// <param name="Hits">Included canaries above it.</param>
/// <param name="Included">Canaries that were in.</param>
/// <param name="FalseAlarms">Excluded canaries above it.</param>
/// <param name="Excluded">Canaries that were out.</param>
/// <param name="Mu">Lower limit of mu, at least 0.</param>
/// <param name="Epsilon">What a Gaussian mechanism of that mu costs at the audit's delta: a lower bound under the assumptions.</param>
public sealed record GaussianReading(double Threshold, int Hits, int Included, int FalseAlarms, int Excluded, double Mu, double Epsilon)
{
    /// <param name="error">Probability, in (0, 1), that mu comes out above the true one; shared by both rates.</param>
    internal static GaussianReading Of(IReadOnlyList<CanaryScore> scores, double delta, double error)
    {
        double[] sorted = [.. scores.Select(s => s.Score).Order()];
        double threshold = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        int included = scores.Count(s => s.Included), excluded = scores.Count - included;
        int hits = scores.Count(s => s.Included && s.Score > threshold);
        int falseAlarms = scores.Count(s => !s.Included && s.Score > threshold);
        if (included == 0 || excluded == 0)
            return new(threshold, hits, included, falseAlarms, excluded, 0, 0);
        // Phi^-1(hit rate) - Phi^-1(false alarm rate) = mu, each rate at its worst.
        double hitRate = BinomialTails.LowerLimit(hits, included, error / 2);
        double falseAlarmRate = BinomialTails.UpperLimit(falseAlarms, excluded, error / 2);
        double mu = hitRate <= falseAlarmRate ? 0 : Normal.InvCDF(0, 1, hitRate) - Normal.InvCDF(0, 1, falseAlarmRate);
        return new(threshold, hits, included, falseAlarms, excluded, mu, mu > 0 ? GaussianAccountant.Epsilon(1 / mu, 1, delta) : 0);
    }
}
