using System.Text.Json;
using Chorus.Simulation.Privacy;
using CsCheck;
using MathNet.Numerics;

namespace Chorus.Simulation.Tests.Privacy;

public class GaussianAccountantTests
{
    private static readonly Gen<double> Noise = Gen.Double[-2, 3].Select(e => Math.Pow(10, e));
    private static readonly Gen<double> DeltaGen = Gen.Double[-12, -0.1].Select(e => Math.Pow(10, e));

    [Fact]
    public void Given_the_papers_setting_When_charged_Then_epsilon_is_the_known_one()
    {
        // POPri: noise 19.3, 20 rounds, delta 3e-6; both numbers solved elsewhere with 50 digits.
        double epsilon = GaussianAccountant.Epsilon(19.3, 20, 3e-6);
        Assert.InRange(epsilon, 0.919484725989773, 0.919484725989773 * (1 + 1e-9));
        double noise = GaussianAccountant.NoiseMultiplier(1, 20, 3e-6);
        Assert.InRange(noise, 17.86409622446664, 17.86409622446664 * (1 + 1e-9));
    }

    [SharedFact("reference/accounting.json")]
    public void Given_reference_rows_When_charged_Then_epsilon_and_noise_agree()
    {
        JsonElement root = SharedFolder.Json("reference/accounting.json");
        int compared = 0;
        foreach (JsonElement row in root.GetProperty("rows").EnumerateArray().Concat(root.GetProperty("popri").EnumerateArray()))
        {
            if (!row.TryGetProperty("epsilon_exact", out JsonElement exact))
                continue;
            double noise = row.GetProperty("noise_multiplier").GetDouble();
            double epsilon = GaussianAccountant.Epsilon(noise, row.GetProperty("steps").GetInt32(), row.GetProperty("delta").GetDouble());
            Assert.InRange(epsilon / exact.GetDouble(), 1 - 1e-12, 1 + 1e-9);
            compared++;
        }

        foreach (JsonElement row in root.GetProperty("inversions").EnumerateArray())
        {
            if (!row.TryGetProperty("noise_multiplier_exact", out JsonElement exact))
                continue;
            double noise = GaussianAccountant.NoiseMultiplier(row.GetProperty("target_epsilon").GetDouble(), row.GetProperty("steps").GetInt32(), row.GetProperty("delta").GetDouble());
            Assert.InRange(noise / exact.GetDouble(), 1 - 1e-12, 1 + 1e-9);
            compared++;
        }

        Assert.True(compared > 20, $"only {compared} rows compared");
    }

    [Theory]
    [InlineData(0.0, 1.0)]
    [InlineData(0.5, 1.0)]
    [InlineData(1.0, 0.5)]
    [InlineData(3.0, 0.7)]
    [InlineData(10.0, 0.2)]
    [InlineData(0.01, 4.0)]
    [InlineData(100.0, 0.1)]
    public void Given_moderate_settings_When_delta_is_computed_Then_the_closed_form_agrees(double epsilon, double noise)
    {
        double mu = 1 / noise;
        double Phi(double x) => SpecialFunctions.Erfc(-x / Math.Sqrt(2)) / 2;
        double closed = Phi((mu / 2) - (epsilon / mu)) - (Math.Exp(epsilon) * Phi((-mu / 2) - (epsilon / mu)));
        double delta = GaussianAccountant.Delta(epsilon, noise);
        Assert.True(Math.Abs((delta / closed) - 1) <= 1e-9, $"{delta:R}, closed form {closed:R}");
    }

    [Fact]
    public void Given_extreme_settings_When_delta_is_computed_Then_it_is_a_probability()
    {
        foreach (double noise in (double[])[1.0 / (1 << 20), 1e-3, 1, 1e5, 1 << 28])
        {
            foreach (double epsilon in (double[])[0, 1e-300, 1e-9, 1, 700, 1e6, 1e300])
                Assert.InRange(GaussianAccountant.Delta(epsilon, noise), 0, 1);
        }

        // Small mu at epsilon 0: 2 Phi(mu/2) - 1 = mu / sqrt(2 pi), where the closed form has lost its digits.
        Assert.InRange(GaussianAccountant.Delta(0, 1e7) * 1e7 * Math.Sqrt(2 * Math.PI), 1 - 1e-9, 1 + 1e-9);
    }

    [Fact]
    public void Given_any_setting_When_inverted_Then_results_are_on_the_safe_side_and_tight()
    {
        Gen.Select(Noise, Gen.Int[1, 2000], DeltaGen).Sample((noise, rounds, delta) =>
        {
            double epsilon = GaussianAccountant.Epsilon(noise, rounds, delta);
            Assert.True(GaussianAccountant.Delta(epsilon, noise, rounds) <= delta);
            if (epsilon == 0)
                return;
            Assert.True(GaussianAccountant.Delta(epsilon * (1 - 1e-6), noise, rounds) > delta * (1 - 1e-9));
            if (epsilon < 1e-3)
                return;
            double back = GaussianAccountant.NoiseMultiplier(epsilon, rounds, delta);
            Assert.True(GaussianAccountant.Epsilon(back, rounds, delta) <= epsilon);
            Assert.InRange(back / noise, 1 - 1e-6, 1 + 1e-6);
        }, iter: 60);
    }

    [Fact]
    public void Given_more_rounds_or_less_noise_or_less_delta_When_charged_Then_epsilon_does_not_fall()
    {
        Gen.Select(Noise, Gen.Int[1, 500], DeltaGen, Gen.Double[1.001, 3]).Sample((noise, rounds, delta, factor) =>
        {
            double epsilon = GaussianAccountant.Epsilon(noise, rounds, delta);
            double tiny = 1e-11 * epsilon;
            Assert.True(GaussianAccountant.Epsilon(noise, rounds + 1, delta) >= epsilon - tiny);
            Assert.True(GaussianAccountant.Epsilon(noise * factor, rounds, delta) <= epsilon + tiny);
            Assert.True(GaussianAccountant.Epsilon(noise, rounds, delta / factor) >= epsilon - tiny);
        }, iter: 60);
    }

    [Fact]
    public void Given_events_of_several_noises_When_charged_Then_as_one_release_of_their_summed_precision()
    {
        double split = GaussianAccountant.Epsilon([(10, 3), (20, 4), (10, 1)], 1e-6);
        double one = GaussianAccountant.Epsilon(1 / Math.Sqrt((4 / 100.0) + (4 / 400.0)), 1, 1e-6);
        Assert.Equal(one, split, one * 1e-9);
        Assert.Equal(GaussianAccountant.Epsilon(5, 7, 1e-6), GaussianAccountant.Epsilon(Enumerable.Repeat((5.0, 1), 7), 1e-6), 1e-9);
        Assert.Equal(0, GaussianAccountant.Epsilon([], 1e-6));
        Assert.Equal(0, GaussianAccountant.Epsilon([(3, 0)], 1e-6));
    }

    [Theory]
    [InlineData(0, 1, 1e-6, "above 0")]
    [InlineData(-1, 1, 1e-6, "above 0")]
    [InlineData(double.NaN, 1, 1e-6, "above 0")]
    [InlineData(1, 0, 1e-6, "at least 1")]
    [InlineData(1, 1, 0, "(0, 1)")]
    [InlineData(1, 1, 1.5, "(0, 1)")]
    [InlineData(1e-12, 20, 1e-15, "raise epsilon or delta, or run fewer rounds")]
    public void Given_what_no_noise_can_do_When_asked_for_noise_Then_the_message_says_what_to_change(double epsilon, int rounds, double delta, string told)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => GaussianAccountant.NoiseMultiplier(epsilon, rounds, delta));
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_parameters_out_of_range_When_charged_Then_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianAccountant.Epsilon(0, 1, 1e-6));
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianAccountant.Epsilon(double.NaN, 1, 1e-6));
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianAccountant.Epsilon([(1, -1)], 1e-6));
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianAccountant.Delta(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianAccountant.Delta(1, 1, 0));
        Assert.Equal(GaussianAccountant.SmallestNoiseMultiplier, GaussianAccountant.NoiseMultiplier(1e300, 1, 1e-6));
    }
}
