using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Federation;

namespace Chorus.Simulation.Tests.Federation;

public class ClientSamplerTests
{
    [Fact]
    public void Given_a_seed_and_round_When_drawn_twice_Then_the_same_and_other_rounds_differ()
    {
        foreach (Cohort cohort in (Cohort[])[new FixedSize(30), new Poisson(0.3)])
        {
            ClientSet drawn = ClientSampler.Draw(cohort, 100, 5, 1);
            Assert.Equal(drawn, ClientSampler.Draw(cohort, 100, 5, 1));
            Assert.NotEqual(drawn, ClientSampler.Draw(cohort, 100, 5, 2));
            Assert.NotEqual(drawn, ClientSampler.Draw(cohort, 100, 6, 1));
        }
    }

    [Fact]
    public void Given_cohorts_When_drawn_Then_sizes_are_as_asked()
    {
        Assert.Equal(ClientSet.All(77), ClientSampler.Draw(new AllClients(), 77, 1, 0));
        Assert.Equal(ClientSet.All(77), ClientSampler.Draw(new Poisson(1), 77, 1, 0));
        Assert.Equal(ClientSet.All(77), ClientSampler.Draw(new FixedSize(77), 77, 1, 0));
        Assert.Equal(13, ClientSampler.Draw(new FixedSize(13), 77, 1, 0).Count);
        // 100,000 * 0.2: deviation 126.
        Assert.InRange(ClientSampler.Draw(new Poisson(0.2), 100_000, 1, 0).Count, 19_300, 20_700);
        Assert.Equal(20.0, new Poisson(0.2).ExpectedSize(100));
        Assert.Equal(13.0, new FixedSize(13).ExpectedSize(100));
        Assert.Equal(100.0, new AllClients().ExpectedSize(100));
    }

    [Fact]
    public void Given_many_rounds_When_drawn_Then_every_client_is_about_equally_often_in()
    {
        foreach (Cohort cohort in (Cohort[])[new FixedSize(10), new Poisson(0.25)])
        {
            var times = new int[40];
            for (int round = 0; round < 2000; round++)
            {
                foreach (int client in ClientSampler.Draw(cohort, 40, 11, round).Members())
                    times[client]++;
            }

            // 2,000 * 1/4 = 500, deviation 19.
            Assert.All(times, t => Assert.InRange(t, 400, 600));
        }
    }

    [Fact]
    public void Given_numbers_out_of_range_When_made_or_drawn_Then_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => ClientSampler.Draw(new FixedSize(11), 10, 0, 0));
        Assert.Contains("at most the 10 clients", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new FixedSize(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Poisson(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Poisson(1.01));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Poisson(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClientSampler.Draw(new AllClients(), 0, 0, 0));
    }
}
