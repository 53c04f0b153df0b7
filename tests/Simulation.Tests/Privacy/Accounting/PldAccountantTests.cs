using System.Text.Json;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;
using CsCheck;

namespace Chorus.Simulation.Tests.Privacy.Accounting;

public class PldAccountantTests
{
    [SharedFact("reference/accounting.json")]
    public void Given_the_reference_rows_When_accounted_Then_all_accountants_agree_with_them()
    {
        JsonElement reference = SharedFolder.Json("reference/accounting.json");
        var misses = new List<string>();
        foreach (JsonElement row in reference.GetProperty("rows").EnumerateArray())
        {
            double Get(string name) => row.GetProperty(name).GetDouble();
            PrivacyEvent[] events = [new(Mechanism.Gaussian, Get("noise_multiplier"), new PoissonSampling(Get("q")), (int)Get("steps"))];
            double delta = Get("delta");
            EpsilonBounds pld = PldAccountant.Epsilon(events, Adjacency.AddOrRemoveOne, delta);
            double rdp = RdpAccountant.Epsilon(events, Adjacency.AddOrRemoveOne, delta).Epsilon;
            double wanted = row.TryGetProperty("epsilon_pld_fine", out JsonElement fine) ? fine.GetDouble() : Get("epsilon_pld");
            bool agrees = Math.Abs(pld.Upper - wanted) <= Math.Max(2e-3 * wanted, 2e-3)
                && pld.Upper >= Get("epsilon_pld_lower") && pld.Lower <= wanted && pld.Lower >= 0.995 * pld.Upper
                && rdp <= 1.001 * Get("epsilon_rdp") && rdp >= pld.Upper;
            if (row.TryGetProperty("epsilon_exact", out JsonElement exact))
            {
                agrees &= pld.Lower <= exact.GetDouble() && pld.Upper >= exact.GetDouble()
                    && Math.Abs(PrivacyAccountant.Exact(events, Adjacency.AddOrRemoveOne, delta)!.Value - exact.GetDouble()) < 1e-6;
            }

            if (!agrees)
                misses.Add($"{row}: pld {pld}, rdp {rdp}");
        }

        Assert.Empty(misses);
    }

    // delta(epsilon) of one release and of two, by brute force on the densities themselves: no cells, grid or transform.
    [Theory]
    [InlineData(0.3, 0.8, Adjacency.AddOrRemoveOne, false)]
    [InlineData(0.02, 1.2, Adjacency.AddOrRemoveOne, false)]
    [InlineData(0.3, 0.8, Adjacency.ReplaceOne, false)]
    [InlineData(0.05, 1.2, Adjacency.ReplaceOne, false)]
    [InlineData(0.3, 1.6, Adjacency.AddOrRemoveOne, true)]
    [InlineData(0.3, 1.6, Adjacency.ReplaceOne, true)]
    [InlineData(1, 2.0, Adjacency.ReplaceOne, false)]
    public void Given_few_releases_When_accounted_Then_the_bounds_enclose_what_brute_force_finds(double q, double noise, Adjacency adjacency, bool fixedSize)
    {
        Sampling sampling = fixedSize ? new FixedSizeSampling((int)(q * 100), 100) : new PoissonSampling(q);
        foreach (double delta in (double[])[1e-2, 1e-4, 1e-6])
        {
            EpsilonBounds one = PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, noise, sampling)], adjacency, delta);
            if (one.Upper == 0)
            {
                Assert.True(delta >= 1e-2 && q < 0.1, "only a large delta covers a small share");
                continue;
            }

            Assert.True(BruteForce.Delta(one.Upper, q, noise, adjacency, fixedSize) <= delta * (1 + 1e-4), $"upper at {delta}");
            Assert.True(BruteForce.Delta(one.Lower, q, noise, adjacency, fixedSize) >= delta * (1 - 1e-4), $"lower at {delta}");

            EpsilonBounds two = PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, noise, sampling, 2)], adjacency, delta);
            Assert.True(BruteForce.DeltaOfTwo(two.Upper, q, noise, adjacency, fixedSize) <= delta * 1.003, $"two, upper at {delta}");
            Assert.True(BruteForce.DeltaOfTwo(two.Lower * 0.998, q, noise, adjacency, fixedSize) >= delta * 0.997, $"two, lower at {delta}");
        }
    }

    [Fact]
    public void Given_fixed_size_sampling_When_accounted_Then_it_costs_more_than_Poisson_sampling_of_its_rate()
    {
        // The example of Lebeda et al. 2024: alike in rate, far apart in cost.
        double Cost(Sampling sampling) => PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, 0.8, sampling, 1000)], Adjacency.AddOrRemoveOne, 1e-6).Upper;
        Assert.True(Cost(new FixedSizeSampling(10, 10_000)) > 2 * Cost(new PoissonSampling(0.001)));
    }

    [Fact]
    public void Given_any_history_When_something_costs_more_Then_epsilon_is_not_less()
    {
        // A bound's own error is far below the tolerance; a true decrease of these steps is far above it.
        Gen.Select(Gen.Double[-3, 0], Gen.Double[-0.3, 1.3], Gen.Double[0, 3], Gen.Double[-8, -2], Gen.OneOf(Gen.Const(Adjacency.AddOrRemoveOne), Gen.Const(Adjacency.ReplaceOne)))
            .Sample(
                (logQ, logNoise, logSteps, logDelta, adjacency) =>
                {
                    double q = Math.Pow(10, logQ), noise = Math.Pow(10, logNoise), delta = Math.Pow(10, logDelta);
                    int steps = (int)Math.Pow(10, logSteps);
                    EpsilonBounds At(double rate, double sigma, int count) =>
                        PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, sigma, new PoissonSampling(Math.Min(1, rate)), count)], adjacency, delta);
                    EpsilonBounds here = At(q, noise, steps);
                    double least = (here.Upper * (1 - 1e-3)) - 1e-9;
                    return here.Lower >= 0 && here.Upper >= here.Lower && double.IsFinite(here.Upper)
                        && At(q, noise, steps + Math.Max(1, steps / 10)).Upper >= least
                        && At(q * 1.1, noise, steps).Upper >= least
                        && At(q, noise / 1.1, steps).Upper >= least;
                },
                iter: 25);
    }

    [Fact]
    public void Given_mixed_histories_When_accounted_Then_the_parts_cost_no_more_and_simple_composition_no_less()
    {
        PrivacyEvent sampled = new(Mechanism.Gaussian, 1, new PoissonSampling(0.05), 50), full = new(Mechanism.Gaussian, 8, Sampling.Full, 10);
        double a = PldAccountant.Epsilon([sampled], Adjacency.AddOrRemoveOne, 5e-6).Upper;
        double b = PldAccountant.Epsilon([full], Adjacency.AddOrRemoveOne, 5e-6).Upper;
        EpsilonBounds both = PldAccountant.Epsilon([sampled, full], Adjacency.AddOrRemoveOne, 1e-5);
        Assert.InRange(both.Upper, Math.Max(
            PldAccountant.Epsilon([sampled], Adjacency.AddOrRemoveOne, 1e-5).Upper, PldAccountant.Epsilon([full], Adjacency.AddOrRemoveOne, 1e-5).Upper), a + b);
        Assert.True(both.Upper - both.Lower < 3e-3 * both.Upper);
    }

    [Theory]
    [InlineData(1e-100)]
    [InlineData(1e-30)]
    [InlineData(1e-12)]
    public void Given_a_tiny_delta_When_a_Gaussian_is_accounted_Then_the_transform_keeps_its_digits(double delta)
    {
        EpsilonBounds bounds = PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, 3, Sampling.Full, 4)], Adjacency.AddOrRemoveOne, delta);
        double exact = GaussianAccountant.Epsilon(3, 4, delta);
        Assert.InRange(exact, bounds.Lower, bounds.Upper);
        Assert.InRange(bounds.Upper / exact, 1, 1.001);
    }

    [Fact]
    public void Given_nothing_or_all_but_nothing_When_accounted_Then_it_costs_nothing()
    {
        Assert.Equal(default, PldAccountant.Epsilon([], Adjacency.AddOrRemoveOne, 1e-6));
        Assert.Equal(0, PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, 1e6, new PoissonSampling(0.01))], Adjacency.AddOrRemoveOne, 1e-3).Upper);
    }

    // Found by the property above: epsilon below the tilted window came out as the window's end, and larger for less.
    [Fact]
    public void Given_a_delta_that_covers_almost_all_When_accounted_Then_epsilon_is_nothing()
    {
        foreach (int steps in (int[])[1, 2])
            Assert.Equal(0, PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, 10, new PoissonSampling(0.015152), steps)], Adjacency.AddOrRemoveOne, 1e-3).Upper);
    }

    [Fact]
    public void Given_noise_too_small_to_amplify_When_accounted_Then_it_is_charged_as_if_the_draw_were_known()
    {
        EpsilonBounds bounds = PldAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, 0.01, new PoissonSampling(0.5))], Adjacency.AddOrRemoveOne, 1e-6);
        Assert.InRange(bounds.Upper / GaussianAccountant.Epsilon(0.01, 1, 1e-6), 1 - 1e-9, 1.001);
        Assert.Equal(0, bounds.Lower);
    }

    [Fact]
    public void Given_a_delta_that_is_none_When_accounted_Then_the_message_says_what_one_is()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => PldAccountant.Epsilon([], Adjacency.AddOrRemoveOne, 1.5));
        Assert.Contains("(0, 1)", error.Message, StringComparison.Ordinal);
    }
}
