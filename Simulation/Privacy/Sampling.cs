using System.Text.Json.Serialization;

namespace Chorus.Simulation.Privacy;

/// <summary>How the records of one release were chosen. Amplification is only claimed for a draw that stays secret.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "scheme", UnknownDerivedTypeHandling = JsonUnknownDerivedTypeHandling.FailSerialization)]
[JsonDerivedType(typeof(FullParticipation), "full")]
[JsonDerivedType(typeof(PoissonSampling), "poisson")]
[JsonDerivedType(typeof(FixedSizeSampling), "fixed-size-without-replacement")]
public abstract record Sampling
{
    private protected Sampling()
    {
    }

    /// <summary>Everybody, every time.</summary>
    public static Sampling Full { get; } = new FullParticipation();
}

/// <summary>Every record takes part; or those that do are known, which costs the same.</summary>
public sealed record FullParticipation : Sampling
{
    public override string ToString() => "full participation";
}

/// <summary>Each record takes part on its own, with one probability.</summary>
/// <param name="Rate">The probability, in (0, 1].</param>
public sealed record PoissonSampling(double Rate) : Sampling
{
    public double Rate { get; } = Rate is > 0 and <= 1
        ? Rate
        : throw new ArgumentOutOfRangeException(nameof(Rate), $"the Poisson sampling rate must be in (0, 1], got {Rate:R}");

    public override string ToString() => FormattableString.Invariant($"Poisson sampling at rate {Rate:R}");
}

/// <summary>Exactly so many distinct records, every such set equally likely.</summary>
/// <remarks>
/// Not Poisson sampling of the same rate: a record that joins or leaves changes who else is drawn, so one record moves
/// the sum by up to twice the sensitivity (Lebeda, Regehr, Kamath, Steinke, arXiv:2405.20769).
/// </remarks>
/// <param name="Size">Records drawn, at least 1.</param>
/// <param name="Population">Records drawn from, at least <paramref name="Size"/>.</param>
public sealed record FixedSizeSampling(int Size, int Population) : Sampling
{
    public int Size { get; } = Size >= 1
        ? Size
        : throw new ArgumentOutOfRangeException(nameof(Size), $"the size of a fixed cohort must be at least 1, got {Size}");

    public int Population { get; } = Population >= Size
        ? Population
        : throw new ArgumentOutOfRangeException(nameof(Population), $"the population must be at least the cohort's size, {Size}, got {Population}");

    /// <summary>The probability that a record is drawn.</summary>
    [JsonIgnore]
    public double Rate => (double)Size / Population;

    public override string ToString() => FormattableString.Invariant($"{Size} of {Population} without replacement");
}
