using System.Text.Json.Serialization;

namespace Chorus.Simulation.Privacy;

/// <summary>What made a release private.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Mechanism>))]
public enum Mechanism
{
    /// <summary>Normal noise.</summary>
    [JsonStringEnumMemberName("gaussian")]
    Gaussian,

    /// <summary>Discrete Gaussian noise on a grid fine enough to cost what normal noise costs (docs/privacy.md).</summary>
    [JsonStringEnumMemberName("discrete-gaussian")]
    DiscreteGaussian,
}

/// <summary>A number of like releases: all that accounting knows of them, and all that a ledger stores.</summary>
/// <param name="Mechanism">The noise.</param>
/// <param name="NoiseMultiplier">Noise standard deviation over the L2 sensitivity, the most that one record moves the sum; in [2^-20, 2^28].</param>
/// <param name="Sampling">How the records were chosen, each release anew and in secret.</param>
/// <param name="Count">How many such releases, at least 1.</param>
public sealed record PrivacyEvent(Mechanism Mechanism, double NoiseMultiplier, Sampling Sampling, int Count = 1)
{
    public Mechanism Mechanism { get; } = Mechanism;

    public double NoiseMultiplier { get; } = NoiseMultiplier is >= GaussianAccountant.SmallestNoiseMultiplier and <= GaussianAccountant.LargestNoiseMultiplier
        ? NoiseMultiplier
        : throw new ArgumentOutOfRangeException(nameof(NoiseMultiplier), $"noise multiplier must be in [2^-20, 2^28], got {NoiseMultiplier:R}");

    public Sampling Sampling { get; } = Sampling ?? throw new ArgumentNullException(nameof(Sampling));

    public int Count { get; init; } = Count >= 1
        ? Count
        : throw new ArgumentOutOfRangeException(nameof(Count), $"count must be at least 1, got {Count}");
}
