using MathNet.Numerics.Distributions;

namespace Chorus.Simulation.Metrics;

/// <summary>The mean of a figure over seeds, and how sure it is.</summary>
/// <remarks>
/// The interval is Student's, mean +- t s / sqrt(n) with n - 1 degrees of freedom: it takes seeds for independent and the
/// figure for normal, which with three seeds nothing can check. Where two methods ran with the same seeds, take
/// <see cref="OfDifferences{TSeed}"/>: they share corpus, cohorts and starting model, so most of what a seed moves falls away.
/// </remarks>
/// <param name="Seeds">Values that the mean is of, at least 1.</param>
/// <param name="Mean">Their mean.</param>
/// <param name="HalfWidth">Half the interval's width; null for a single seed, which says nothing of how much seeds differ.</param>
public sealed record SeedMean(int Seeds, double Mean, double? HalfWidth)
{
    public const double DefaultConfidence = 0.95;

    /// <summary>Lower end of the interval; null where there is none.</summary>
    public double? Low => Mean - HalfWidth;

    /// <summary>Upper end of the interval; null where there is none.</summary>
    public double? High => Mean + HalfWidth;

    /// <param name="values">One finite value a seed, at least one.</param>
    /// <param name="confidence">In (0, 1).</param>
    /// <exception cref="ArgumentException">No value, or one that is not finite.</exception>
    public static SeedMean Of(IReadOnlyCollection<double> values, double confidence = DefaultConfidence)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (!(confidence is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(confidence), $"confidence must be in (0, 1), got {confidence:R}");
        if (values.Count == 0)
            throw new ArgumentException("values must hold at least one, got none", nameof(values));
        foreach (double value in values)
        {
            if (!double.IsFinite(value))
                throw new ArgumentException($"values must be finite, got {value:R}", nameof(values));
        }

        int n = values.Count;
        double mean = values.Sum() / n;
        if (n == 1)
            return new SeedMean(1, mean, null);
        double variance = values.Sum(v => (v - mean) * (v - mean)) / (n - 1);
        double t = StudentT.InvCDF(0, 1, n - 1, 0.5 + (confidence / 2));
        return new SeedMean(n, mean, t * Math.Sqrt(variance / n));
    }

    /// <summary>The mean of a - b over the seeds that both have.</summary>
    /// <param name="a">Value by seed.</param>
    /// <param name="b">Value by seed.</param>
    /// <param name="confidence">In (0, 1).</param>
    /// <exception cref="ArgumentException">No seed is in both, or a value is not finite.</exception>
    public static SeedMean OfDifferences<TSeed>(
        IReadOnlyDictionary<TSeed, double> a, IReadOnlyDictionary<TSeed, double> b, double confidence = DefaultConfidence)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        double[] differences = [.. a.Where(x => b.ContainsKey(x.Key)).Select(x => x.Value - b[x.Key])];
        return differences.Length > 0
            ? Of(differences, confidence)
            : throw new ArgumentException("a and b must have a seed in common, got none");
    }
}
