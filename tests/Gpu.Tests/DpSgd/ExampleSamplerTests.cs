using Chorus.Gpu.DpSgd;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>Draws of examples are what the accountant takes them for.</summary>
public sealed class ExampleSamplerTests
{
    [Fact]
    public void Given_Poisson_sampling_When_drawn_many_times_Then_each_comes_with_its_rate_and_on_its_own()
    {
        const int count = 50, steps = 20_000;
        const double rate = 0.13;
        var times = new int[count];
        double sizes = 0, squares = 0;
        int both = 0;
        for (uint step = 0; step < steps; step++)
        {
            var drawn = ExampleSampler.Poisson(count, rate, 42, step);
            foreach (int i in drawn)
                times[i]++;
            sizes += drawn.Count;
            squares += (double)drawn.Count * drawn.Count;
            both += drawn.Contains(3) && drawn.Contains(4) ? 1 : 0;
        }
        double deviation = Math.Sqrt(rate * (1 - rate) / steps);
        Assert.All(times, t => Assert.InRange(t / (double)steps, rate - 5 * deviation, rate + 5 * deviation));
        double mean = sizes / steps, variance = squares / steps - mean * mean;
        Assert.InRange(mean, count * rate - 0.1, count * rate + 0.1);
        Assert.InRange(variance, 0.95 * count * rate * (1 - rate), 1.05 * count * rate * (1 - rate)); // a fixed size would have none
        Assert.InRange(both / (double)steps, rate * rate - 5 * rate / Math.Sqrt(steps), rate * rate + 5 * rate / Math.Sqrt(steps));
    }

    [Fact]
    public void Given_one_example_more_When_drawn_Then_the_others_are_drawn_as_before()
    {
        for (uint step = 0; step < 50; step++)
            Assert.Equal(ExampleSampler.Poisson(99, 0.2, 5, step), ExampleSampler.Poisson(100, 0.2, 5, step).Where(i => i < 99));
        Assert.Equal(Enumerable.Range(0, 7), ExampleSampler.Poisson(7, 1, 5, 0));
    }

    [Fact]
    public void Given_a_fixed_size_When_drawn_Then_it_is_that_many_distinct_ones_each_equally_often()
    {
        const int count = 12, size = 5, steps = 20_000;
        var times = new int[count];
        for (uint step = 0; step < steps; step++)
        {
            var drawn = ExampleSampler.FixedSize(count, size, 42, step);
            Assert.Equal(size, drawn.Distinct().Count());
            Assert.Equal(drawn.Order(), drawn);
            foreach (int i in drawn)
                times[i]++;
        }
        Assert.All(times, t => Assert.InRange(t / (double)steps, size / (double)count - 0.02, size / (double)count + 0.02));
        Assert.Equal(Enumerable.Range(0, 4), ExampleSampler.FixedSize(4, 4, 1, 1));
    }

    [Fact]
    public void Given_secrets_When_made_Then_each_run_and_purpose_has_its_own_keys()
    {
        Assert.NotEqual(RunSecret.New().Key("noise"), RunSecret.New().Key("noise"));
        Assert.NotEqual(RunSecret.FromSeed(1).Key("noise"), RunSecret.FromSeed(1).Key("sampling"));
        Assert.Equal(RunSecret.FromSeed(1).Key("noise"), RunSecret.FromSeed(1).Key("noise"));
    }
}
