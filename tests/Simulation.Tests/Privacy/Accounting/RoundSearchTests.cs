using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Simulation.Tests.Privacy.Accounting;

public sealed class RoundSearchTests
{
    private const double Delta = 1e-5;

    private static readonly PrivacyEvent Release = new(Mechanism.DiscreteGaussian, 5, Sampling.Full);

    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(20, 0)]
    [InlineData(20, 7)]
    [InlineData(20, 20)]
    [InlineData(333, 0)]
    public void Given_a_budget_of_so_many_rounds_When_searched_Then_they_and_no_more_are_found(int rounds, int known)
    {
        double budget = PrivacyAccountant.Epsilon([Release with { Count = rounds }], Adjacency.AddOrRemoveOne, Delta);
        Assert.Equal(rounds, RoundSearch.Affordable(Release, Adjacency.AddOrRemoveOne, budget, Delta, known));
    }

    [Fact]
    public void Given_noise_derived_from_rounds_When_searched_Then_the_budget_buys_just_these()
    {
        double noise = NoiseSearch.NoiseMultiplier(4, Delta, 6, Sampling.Full, Adjacency.AddOrRemoveOne);
        Assert.Equal(6, RoundSearch.Affordable(new PrivacyEvent(Mechanism.DiscreteGaussian, noise, Sampling.Full), Adjacency.AddOrRemoveOne, 4, Delta, known: 6));
    }

    [Fact]
    public void Given_earlier_releases_When_searched_Then_they_are_paid_for_first()
    {
        double budget = PrivacyAccountant.Epsilon([Release with { Count = 12 }], Adjacency.AddOrRemoveOne, Delta);
        Assert.Equal(9, RoundSearch.Affordable(Release, Adjacency.AddOrRemoveOne, budget, Delta, spent: [Release with { Count = 3 }]));
    }

    [Fact]
    public void Given_a_budget_below_one_round_When_searched_Then_it_buys_none() =>
        Assert.Equal(0, RoundSearch.Affordable(Release, Adjacency.AddOrRemoveOne, 1e-3, Delta));

    [Fact]
    public void Given_more_budget_than_anybody_looks_for_When_searched_Then_the_limit_is_found() =>
        Assert.Equal(50, RoundSearch.Affordable(Release, Adjacency.AddOrRemoveOne, 1e6, Delta, most: 50));

    [Fact]
    public void Given_a_known_number_out_of_range_When_searched_Then_it_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => RoundSearch.Affordable(Release, Adjacency.AddOrRemoveOne, 1, Delta, known: 11, most: 10));
}
