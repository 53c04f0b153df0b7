using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Runs;

/// <summary>
/// How a round's sum becomes private. It is an interface so that <c>chorus audit</c>'s tests can run wrong ones and see them
/// caught.
/// </summary>
public interface IReleaseMechanism
{
    /// <summary>Bits after the point of what is released.</summary>
    int FractionBits => FixedPointGrid.FractionBits;

    /// <summary>Makes the release of a sum, once.</summary>
    /// <param name="sum">Votes in units of 2^-<see cref="FixedPointGrid.FractionBits"/>; what is released takes its place, in units of 2^-<see cref="FractionBits"/>.</param>
    /// <param name="round">What is known of the round.</param>
    /// <param name="random">The noise's source: cryptographic, or seeded where the run declares itself repeatable.</param>
    void AddNoise(Span<long> sum, ReleasedRound round, IRandomSource random);
}

/// <summary>What a mechanism may know of the round that it releases.</summary>
/// <param name="NoiseMultiplier">Noise standard deviation over sensitivity; 0 in a run without noise.</param>
/// <param name="ClientsCounted">Clients in the sum.</param>
/// <param name="Round">From 1.</param>
public sealed record ReleasedRound(double NoiseMultiplier, int ClientsCounted, int Round = 1);

/// <summary>Discrete Gaussian noise of standard deviation noiseMultiplier x 1, the sensitivity, on the grid of the votes.</summary>
public sealed class DiscreteGaussianMechanism : IReleaseMechanism
{
    public static DiscreteGaussianMechanism Instance { get; } = new();

    public void AddNoise(Span<long> sum, ReleasedRound round, IRandomSource random)
    {
        if (round.NoiseMultiplier > 0)
            new DiscreteGaussian(Math.ScaleB(round.NoiseMultiplier, FixedPointGrid.FractionBits), random).AddTo(sum);
    }
}
