using System.Text.Json;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Simulation.Tests.Privacy.Accounting;

public class NoiseSearchTests
{
    [SharedFact("reference/accounting.json")]
    public void Given_the_reference_inversions_When_noise_is_sought_Then_it_is_theirs()
    {
        JsonElement reference = SharedFolder.Json("reference/accounting.json");
        foreach (JsonElement row in reference.GetProperty("inversions").EnumerateArray())
        {
            double Get(string name) => row.GetProperty(name).GetDouble();
            double noise = NoiseSearch.NoiseMultiplier(Get("target_epsilon"), Get("delta"), (int)Get("steps"), new PoissonSampling(Get("q")), Adjacency.AddOrRemoveOne);
            Assert.InRange(noise / Get("noise_multiplier_pld"), 1 - 1e-3, 1 + 1e-3);
        }
    }

    [Theory]
    [InlineData(0.5, 1e-6, 200, 0.02, Adjacency.AddOrRemoveOne)]
    [InlineData(4, 1e-5, 1, 0.3, Adjacency.AddOrRemoveOne)]
    [InlineData(2, 1e-5, 50, 0.1, Adjacency.ReplaceOne)]
    [InlineData(30, 1e-5, 500, 0.01, Adjacency.AddOrRemoveOne)]
    public void Given_a_target_When_noise_is_sought_Then_it_is_met_and_never_passed(double epsilon, double delta, int rounds, double q, Adjacency adjacency)
    {
        foreach (Sampling sampling in (Sampling[])[new PoissonSampling(q), new FixedSizeSampling((int)(1000 * q), 1000), Sampling.Full])
        {
            double noise = NoiseSearch.NoiseMultiplier(epsilon, delta, rounds, sampling, adjacency);
            double reached = PrivacyAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, noise, sampling, rounds)], adjacency, delta);
            Assert.InRange(reached, epsilon * (1 - 1e-3), epsilon);
        }
    }

    [Fact]
    public void Given_what_is_spent_already_When_noise_is_sought_Then_all_together_meets_the_target()
    {
        PrivacyEvent[] spent = [new(Mechanism.Gaussian, 20, Sampling.Full, 30), new(Mechanism.Gaussian, 3, new PoissonSampling(0.05), 40)];
        foreach (Sampling sampling in (Sampling[])[Sampling.Full, new PoissonSampling(0.2)])
        {
            foreach (PrivacyEvent[] before in (PrivacyEvent[][])[spent, spent[..1]])
            {
                double noise = NoiseSearch.NoiseMultiplier(3, 1e-5, 10, sampling, Adjacency.AddOrRemoveOne, before);
                double all = PrivacyAccountant.Epsilon([.. before, new PrivacyEvent(Mechanism.Gaussian, noise, sampling, 10)], Adjacency.AddOrRemoveOne, 1e-5);
                Assert.InRange(all, 3 * (1 - 1e-3), 3);
                Assert.True(noise > NoiseSearch.NoiseMultiplier(3, 1e-5, 10, sampling, Adjacency.AddOrRemoveOne));
            }
        }

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => NoiseSearch.NoiseMultiplier(1, 1e-5, 10, Sampling.Full, Adjacency.AddOrRemoveOne, spent));
        Assert.Contains("is spent already", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_targets_that_mean_nothing_When_noise_is_sought_Then_the_message_says_what_would()
    {
        Assert.Contains("above 0", Assert.Throws<ArgumentOutOfRangeException>(() => NoiseSearch.NoiseMultiplier(0, 1e-5, 1, Sampling.Full, Adjacency.AddOrRemoveOne)).Message, StringComparison.Ordinal);
        Assert.Contains("rounds", Assert.Throws<ArgumentOutOfRangeException>(() => NoiseSearch.NoiseMultiplier(1, 1e-5, 0, Sampling.Full, Adjacency.AddOrRemoveOne)).Message, StringComparison.Ordinal);
        Assert.Contains("no noise multiplier", Assert.Throws<ArgumentOutOfRangeException>(() => NoiseSearch.NoiseMultiplier(1e-12, 1e-300, 1_000_000, Sampling.Full, Adjacency.AddOrRemoveOne)).Message, StringComparison.Ordinal);
    }
}
