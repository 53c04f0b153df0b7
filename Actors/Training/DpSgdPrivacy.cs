using Chorus.Actors.Settings;
using Chorus.Gpu.DpSgd;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Actors.Training;

/// <summary>What the steps of <see cref="DpSgdTrainer"/> cost: each step is one release of the examples (docs/privacy.md).</summary>
/// <param name="settings">Of the run.</param>
/// <param name="examples">How many there are.</param>
public sealed class DpSgdPrivacy(DpSgdSettings settings, int examples)
{
    /// <summary>The releases of so many steps; none where the run has no noise, which is no privacy and not a release of epsilon 0.</summary>
    /// <exception cref="InvalidOperationException">The run has no noise.</exception>
    public PrivacyHistory After(int steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        if (settings.NoiseMultiplier == 0)
            throw new InvalidOperationException("a run without noise has no privacy to state");
        return new PrivacyHistory(PrivacyUnit.Example, Adjacency.AddOrRemoveOne, steps == 0 ? [] : [Step with { Count = steps }]);
    }

    /// <summary>Epsilon of so many steps, 0 for none.</summary>
    /// <param name="delta">In (0, 1).</param>
    public double Epsilon(int steps, double delta) => steps == 0 ? 0 : PrivacyAccountant.Epsilon(After(steps), delta);

    /// <summary>One step's release.</summary>
    public PrivacyEvent Step => new(Mechanism.Gaussian, Joint(settings.NoiseMultiplier, settings.Clipping), Sampling(settings, examples));

    /// <summary>The least noise multiplier for the gradients with which all steps stay within epsilon.</summary>
    /// <exception cref="SettingsException">The noise on the quantiles alone costs more than that.</exception>
    public static double NoiseMultiplier(DpSgdSettings settings, int examples, double epsilon, double delta, int steps)
    {
        ArgumentNullException.ThrowIfNull(settings);
        settings.Validate(examples);
        double joint = NoiseSearch.NoiseMultiplier(epsilon, delta, steps, Sampling(settings, examples), Adjacency.AddOrRemoveOne);
        if (settings.Clipping.Thresholds != ThresholdChoice.Adaptive)
            return joint;
        double rest = 1 / (joint * joint) - 1 / (settings.Clipping.QuantileNoiseMultiplier * settings.Clipping.QuantileNoiseMultiplier);
        return rest > 0 ? Math.BitIncrement(1 / Math.Sqrt(rest))
            : throw new SettingsException(FormattableString.Invariant($"epsilon {epsilon} needs a noise multiplier of {joint:G6} in all, and the quantiles alone have {settings.Clipping.QuantileNoiseMultiplier}: raise that above it"));
    }

    // Counts and gradients of a step come from the same draw of examples, so they are one Gaussian release of both, each in units of its own
    // noise: the sensitivities' squares add up. As two releases, each with a draw of its own, they would be charged wrongly.
    private static double Joint(double gradients, ClippingSettings s) => s.Thresholds != ThresholdChoice.Adaptive ? gradients
        : Math.BitDecrement(1 / Math.Sqrt(1 / (gradients * gradients) + 1 / (s.QuantileNoiseMultiplier * s.QuantileNoiseMultiplier)));

    private static Sampling Sampling(DpSgdSettings s, int examples) => s.Sampling == ExampleSampling.FixedSize
        ? new FixedSizeSampling(s.LogicalBatch, examples)
        : new PoissonSampling((double)s.LogicalBatch / examples);
}
