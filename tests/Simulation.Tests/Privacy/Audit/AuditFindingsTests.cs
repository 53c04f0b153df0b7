using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Audit;

namespace Chorus.Simulation.Tests.Privacy.Audit;

public sealed class AuditFindingsTests
{
    private const double Delta = 1e-5;

    [Theory]
    [InlineData(0, 10, 0.025, 0.0, 0.3084971)]
    [InlineData(5, 10, 0.025, 0.1870860, 0.8129140)]
    [InlineData(10, 10, 0.025, 0.6915029, 1.0)]
    [InlineData(27, 900, 0.05, 0.0212, 0.0413)]
    public void Given_successes_in_trials_When_limits_are_asked_for_Then_they_are_Clopper_and_Pearsons(
        int successes, int trials, double error, double lower, double upper)
    {
        Assert.Equal(lower, BinomialTails.LowerLimit(successes, trials, error), trials == 900 ? 3 : 6);
        Assert.Equal(upper, BinomialTails.UpperLimit(successes, trials, error), trials == 900 ? 3 : 6);
    }

    [Theory]
    [InlineData(4.0)]
    [InlineData(8.0)]
    public void Given_a_gaussian_mechanism_When_audited_Then_the_headline_lies_between_half_the_claim_and_the_claim(double epsilon)
    {
        for (ulong seed = 1; seed <= 3; seed++)
        {
            var findings = AuditFindings.Of(Gaussian(epsilon, runs: 400, canaries: 200, (int)seed), Delta, 0.95);
            Assert.InRange(findings.EpsilonLower, epsilon / 2, epsilon);
            Assert.InRange(findings.Gaussian.Epsilon, 0.9 * epsilon, epsilon);
            Assert.False(findings.Refute(epsilon));
        }
    }

    // The reading is exact where its assumptions hold, so it does pass the claim now and then: with two limits at 98.75% each, hardly ever.
    [Fact]
    public void Given_a_gaussian_mechanism_many_times_When_audited_with_few_canaries_Then_a_true_claim_is_hardly_ever_refuted() =>
        Assert.InRange(Enumerable.Range(1, 400).Count(seed => AuditFindings.Of(Gaussian(4, runs: 5, canaries: 32, seed), Delta, 0.95).Refute(4)), 0, 4);

    [Fact]
    public void Given_half_the_noise_When_audited_with_few_canaries_Then_the_gaussian_reading_refutes_the_claim()
    {
        var findings = AuditFindings.Of(Gaussian(4, runs: 20, canaries: 64, seed: 1, noise: 0.5), Delta, 0.95);
        Assert.True(findings.Refute(4));
        Assert.True(findings.EpsilonLower < 4); // the model-free bound needs more
    }

    [Fact]
    public void Given_hardly_any_noise_When_audited_Then_the_headline_refutes_the_claim_too() =>
        Assert.True(AuditFindings.Of(Gaussian(4, runs: 100, canaries: 64, seed: 1, noise: 0.01), Delta, 0.95).EpsilonLower > 4);

    [Fact]
    public void Given_scores_that_say_nothing_When_audited_Then_no_bound_does()
    {
        foreach (var spread in new[] { 0.0, 1.0 })
        {
            var random = new Random(3);
            CanaryScore[][] runs = [.. Enumerable.Range(0, 50).Select(_ =>
                Enumerable.Range(0, 40).Select(_ => new CanaryScore(spread * random.NextDouble(), random.Next(2) == 1)).ToArray())];
            var findings = AuditFindings.Of(runs, Delta, 0.95);
            Assert.Equal((0, 0), (findings.EpsilonLower, findings.Gaussian.Epsilon));
        }
    }

    [Fact]
    public void Given_all_canaries_in_When_read_as_gaussian_Then_nothing_is_shown() =>
        Assert.Equal(0, AuditFindings.Of([[new(1, true), new(2, true)]], Delta, 0.95).Gaussian.Mu);

    [Fact]
    public void Given_bad_input_When_audited_Then_it_is_refused()
    {
        CanaryScore[] two = [new(0, true), new(1, false)];
        Assert.Throws<ArgumentException>(() => AuditFindings.Of([], Delta, 0.95));
        Assert.Throws<ArgumentException>(() => AuditFindings.Of([two, [new(0, true)]], Delta, 0.95));
        Assert.Throws<ArgumentException>(() => AuditFindings.Of([[two[0], new(double.NaN, true)]], Delta, 0.95));
        Assert.Throws<ArgumentOutOfRangeException>(() => AuditFindings.Of([two], 0, 0.95));
        Assert.Throws<ArgumentOutOfRangeException>(() => AuditFindings.Of([two], Delta, 1));
    }

    private static CanaryScore[][] Gaussian(double epsilon, int runs, int canaries, int seed, double noise = 1)
    {
        var sigma = noise * GaussianAccountant.NoiseMultiplier(epsilon, 1, Delta);
        var random = new Random(seed);
        return [.. Enumerable.Range(0, runs).Select(_ => Enumerable.Range(0, canaries).Select(_ =>
        {
            var included = random.Next(2) == 1;
            return new CanaryScore((included ? 1 : 0) + (sigma * MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1)), included);
        }).ToArray())];
    }
}
