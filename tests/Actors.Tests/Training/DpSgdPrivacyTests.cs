using Chorus.Actors.Settings;
using Chorus.Actors.Training;
using Chorus.Gpu.DpSgd;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Actors.Tests.Training;

/// <summary>What steps of DP-SGD are charged as.</summary>
public sealed class DpSgdPrivacyTests
{
    private static DpSgdSettings Settings { get; } = new() { NoiseMultiplier = 1, LogicalBatch = 100, PhysicalBatch = 8, SequenceLength = 16 };

    [Fact]
    public void Given_steps_When_charged_Then_each_is_a_Gaussian_release_under_Poisson_sampling_of_one_example()
    {
        var history = new DpSgdPrivacy(Settings, 10_000).After(500);
        Assert.Equal((PrivacyUnit.Example, Adjacency.AddOrRemoveOne), (history.Unit, history.Adjacency));
        Assert.Equal(new PrivacyEvent(Mechanism.Gaussian, 1, new PoissonSampling(0.01), 500), Assert.Single(history.Events));
        Assert.Equal(PrivacyAccountant.Epsilon(history, 1e-5), new DpSgdPrivacy(Settings, 10_000).Epsilon(500, 1e-5));
        Assert.Empty(new DpSgdPrivacy(Settings, 10_000).After(0).Events);
        Assert.Equal(0, new DpSgdPrivacy(Settings, 10_000).Epsilon(0, 1e-5));
    }

    [Fact]
    public void Given_a_fixed_size_When_charged_Then_it_is_not_called_Poisson() =>
        Assert.Equal(new FixedSizeSampling(100, 10_000), new DpSgdPrivacy(Settings with { Sampling = ExampleSampling.FixedSize }, 10_000).Step.Sampling);

    [Theory]
    [InlineData(ThresholdChoice.Equal)]
    [InlineData(ThresholdChoice.Adaptive)]
    public void Given_an_epsilon_When_noise_is_sought_Then_all_steps_stay_just_within_it(ThresholdChoice thresholds)
    {
        var s = Settings with { NoiseMultiplier = 0, Clipping = new ClippingSettings { Thresholds = thresholds, QuantileNoiseMultiplier = 5 } };
        double noise = DpSgdPrivacy.NoiseMultiplier(s, 10_000, 2, 1e-5, 300);
        Assert.InRange(new DpSgdPrivacy(s with { NoiseMultiplier = noise }, 10_000).Epsilon(300, 1e-5), 1.99, 2);
    }

    [Fact]
    public void Given_adaptive_thresholds_When_charged_Then_their_noise_is_part_of_every_step()
    {
        var adaptive = Settings with { Clipping = new ClippingSettings { Thresholds = ThresholdChoice.Adaptive, QuantileNoiseMultiplier = 2 } };
        Assert.Equal(1 / Math.Sqrt(1 + 0.25), new DpSgdPrivacy(adaptive, 10_000).Step.NoiseMultiplier, 12);
        var loud = adaptive with { NoiseMultiplier = 0, Clipping = adaptive.Clipping with { QuantileNoiseMultiplier = 0.1 } };
        Assert.Contains("raise that above it", Assert.Throws<SettingsException>(() => DpSgdPrivacy.NoiseMultiplier(loud, 10_000, 1, 1e-5, 300)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_no_noise_When_asked_for_a_charge_Then_there_is_no_privacy_to_state() =>
        Assert.Throws<InvalidOperationException>(() => new DpSgdPrivacy(Settings with { NoiseMultiplier = 0 }, 10_000).After(1));
}
