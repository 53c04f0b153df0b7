using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Simulation.Tests.Privacy;

public class PrivacyHistoryTests
{
    private static readonly PrivacyHistory Example = new(
        PrivacyUnit.Client,
        Adjacency.AddOrRemoveOne,
        [
            new PrivacyEvent(Mechanism.DiscreteGaussian, 19.3, Sampling.Full, 20),
            new PrivacyEvent(Mechanism.Gaussian, 1.5, new PoissonSampling(0.25), 3),
            new PrivacyEvent(Mechanism.Gaussian, 2, new FixedSizeSampling(10, 400)),
        ]);

    [Fact]
    public void Given_a_history_When_written_and_read_Then_it_is_the_same()
    {
        PrivacyHistory read = PrivacyHistory.FromJson(Example.ToJson());
        Assert.Equal((Example.Unit, Example.Adjacency), (read.Unit, read.Adjacency));
        Assert.Equal(Example.Events.AsEnumerable(), read.Events.AsEnumerable());
    }

    // Written by hand: the form of version 1 must be read for ever.
    [Fact]
    public void Given_a_history_of_version_1_When_read_Then_every_field_is_understood()
    {
        PrivacyHistory read = PrivacyHistory.FromJson(
            """
            {"version": 1, "unit": "client", "adjacency": "add-or-remove-one", "events": [
              {"mechanism": "discrete-gaussian", "noise_multiplier": 19.3, "sampling": {"scheme": "full"}, "count": 20},
              {"mechanism": "gaussian", "noise_multiplier": 1.5, "sampling": {"rate": 0.25, "scheme": "poisson"}, "count": 3},
              {"mechanism": "gaussian", "noise_multiplier": 2, "sampling": {"scheme": "fixed-size-without-replacement", "size": 10, "population": 400}}
            ]}
            """);
        Assert.Equal(Example.Events.AsEnumerable(), read.Events.AsEnumerable());
    }

    [Theory]
    [InlineData("", "not a privacy history")]
    [InlineData("[]", "not a privacy history")]
    [InlineData("""{"version": 2, "unit": "client", "adjacency": "replace-one", "events": []}""", "version 2")]
    [InlineData("""{"version": 1, "unit": "client", "adjacency": "replace-one"}""", "events")]
    [InlineData("""{"version": 1, "unit": "household", "adjacency": "replace-one", "events": []}""", "unit")]
    [InlineData("""{"version": 1, "unit": "client", "adjacency": "replace-one", "events": [], "epsilon": 1}""", "epsilon")]
    [InlineData("""{"version": 1, "unit": "client", "adjacency": "replace-one", "events": [{"mechanism": "gaussian", "noise_multiplier": -1, "sampling": {"scheme": "full"}}]}""", "noise multiplier")]
    [InlineData("""{"version": 1, "unit": "client", "adjacency": "replace-one", "events": [{"mechanism": "gaussian", "noise_multiplier": 1, "sampling": {"scheme": "poisson", "rate": 2}}]}""", "(0, 1]")]
    [InlineData("""{"version": 1, "unit": "client", "adjacency": "replace-one", "events": [{"mechanism": "gaussian", "noise_multiplier": 1}]}""", "sampling")]
    public void Given_what_is_no_history_When_read_Then_the_message_says_why(string json, string part)
    {
        var error = Assert.Throws<FormatException>(() => PrivacyHistory.FromJson(json));
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_any_order_and_grouping_When_epsilon_is_derived_Then_it_is_the_same_to_the_bit()
    {
        PrivacyEvent one = new(Mechanism.Gaussian, 1.5, new PoissonSampling(0.25)), other = new(Mechanism.Gaussian, 4, Sampling.Full);
        double together = PrivacyAccountant.Epsilon(Example with { Events = [other with { Count = 2 }, one with { Count = 3 }] }, 1e-5);
        Assert.Equal(together, PrivacyAccountant.Epsilon(Example with { Events = [one, other, one with { Count = 2 }, other] }, 1e-5));
    }
}
