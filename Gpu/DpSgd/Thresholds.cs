namespace Chorus.Gpu.DpSgd;

/// <summary>The thresholds C_l of all groups: whatever they are, the sum of their squares is C^2.</summary>
internal static class Thresholds
{
    /// <summary>Noise on the counts is drawn for a parameter index that no parameter has.</summary>
    internal const uint NoiseIndex = uint.MaxValue;

    /// <summary>Sets the thresholds of a run's start.</summary>
    public static void Begin(IReadOnlyList<ClippingGroup> groups, ClippingSettings s)
    {
        double dimension = groups.Sum(g => (double)g.Dimension);
        foreach (var group in groups)
            group.Quantile = s.Threshold / Math.Sqrt(groups.Count);
        Set(groups, [.. groups.Select(g => s.Thresholds == ThresholdChoice.ByDimension ? Math.Sqrt(g.Dimension / dimension) : 1.0)], s.Threshold);
    }

    /// <summary>Moves each group's estimate of its quantile by the noised share of samples within it; thresholds are proportional to the estimates.</summary>
    /// <remarks>
    /// Andrew, Thakkar, McMahan, Ramaswamy (arXiv:1905.03871), with a count for each group. A sample adds +1/2 or -1/2 to each of the L counts,
    /// so it moves them by sqrt(L) / 2 in all; the noise is the multiplier times that. What then happens is post-processing.
    /// The estimates follow the norms wherever they are; only their proportions decide how C is divided.
    /// </remarks>
    /// <param name="within">Samples within the estimate, for each group; noise not yet added.</param>
    /// <param name="samples">Samples counted.</param>
    /// <param name="expectedBatch">The public divisor.</param>
    public static void Adapt(IReadOnlyList<ClippingGroup> groups, IReadOnlyList<double> within, long samples, double expectedBatch, ClippingSettings s, ulong key, uint step)
    {
        var draws = new float[groups.Count];
        CounterNoise.Fill(draws, new NoiseDraw(key, step, NoiseIndex, 1), 0);
        double noise = s.QuantileNoiseMultiplier * Math.Sqrt(groups.Count) / 2;
        for (int i = 0; i < groups.Count; i++)
        {
            double share = (within[i] - samples / 2.0 + noise * draws[i]) / expectedBatch + 0.5;
            groups[i].Quantile *= Math.Exp(-s.QuantileRate * (Math.Clamp(share, 0, 1) - s.Quantile));
        }
        Set(groups, [.. groups.Select(g => g.Quantile)], s.Threshold);
    }

    // Shares too small to be thresholds are lifted before all are scaled to C.
    private static void Set(IReadOnlyList<ClippingGroup> groups, double[] shares, double threshold)
    {
        double largest = shares.Max();
        for (int i = 0; i < shares.Length; i++)
            shares[i] = Math.Max(shares[i] / largest, 1e-4);
        double norm = Math.Sqrt(shares.Sum(c => c * c)) * (1 + 1e-12); // so that rounding does not pass C
        foreach (var (group, share) in groups.Zip(shares))
            group.Threshold = threshold * share / norm;
    }
}
