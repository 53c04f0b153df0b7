using Chorus.Simulation.Metrics;
using CsCheck;

namespace Chorus.Simulation.Tests.Metrics;

public class SeedMeanTests
{
    [Fact]
    public void Given_two_or_three_seeds_When_summed_up_Then_the_closed_forms_of_Students_t()
    {
        // Quantiles with one degree of freedom are tan(pi (p - 1/2)); with two, (2p - 1) sqrt(2 / (4 p (1 - p))).
        SeedMean two = SeedMean.Of([1.0, 3]);
        Assert.Equal((2, 2.0), (two.Seeds, two.Mean));
        Assert.Equal(Math.Tan(Math.PI * 0.475), two.HalfWidth!.Value, 1e-9);   // s / sqrt(n) = 1
        SeedMean three = SeedMean.Of([1.0, 2, 3]);
        Assert.Equal(0.95 * Math.Sqrt(2 / (4 * 0.975 * 0.025)) / Math.Sqrt(3), three.HalfWidth!.Value, 1e-9);
        Assert.Equal(three.Mean - three.HalfWidth, three.Low);
        Assert.Equal(three.Mean + three.HalfWidth, three.High);
    }

    [Fact]
    public void Given_one_seed_When_summed_up_Then_there_is_no_interval()
    {
        SeedMean one = SeedMean.Of([0.3]);
        Assert.Equal(new SeedMean(1, 0.3, null), one);
        Assert.Null(one.Low);
        Assert.Null(one.High);
    }

    [Fact]
    public void Given_normal_values_When_many_intervals_are_made_Then_95_in_100_hold_the_truth()
    {
        // 20,000 intervals: the share's standard deviation is 0.15%.
        var random = new Random(4);
        int held = Enumerable.Range(0, 20_000).Count(_ =>
        {
            SeedMean mean = SeedMean.Of([.. Enumerable.Range(0, 4).Select(_ => 7 + (2 * Normal(random)))]);
            return mean.Low <= 7 && 7 <= mean.High;
        });
        Assert.InRange(held / 20_000.0, 0.943, 0.957);
    }

    [Fact]
    public void Given_methods_that_a_seed_moves_alike_When_paired_Then_only_their_difference_is_unsure()
    {
        var seeds = Enumerable.Range(1, 5).Select(s => (ulong)s).ToArray();
        var a = seeds.ToDictionary(s => s, s => 10.0 * s + 1);
        var b = seeds.Append(99ul).ToDictionary(s => s, s => 10.0 * s);
        SeedMean difference = SeedMean.OfDifferences(a, b);
        Assert.Equal((5, 1.0), (difference.Seeds, difference.Mean));
        Assert.Equal(0, difference.HalfWidth!.Value, 1e-12);
        Assert.True(SeedMean.Of([.. a.Values]).HalfWidth > 10);
    }

    [Fact]
    public void Given_any_values_When_shifted_and_scaled_Then_mean_and_interval_follow() =>
        Gen.Select(Gen.Double[-5, 5].Array[2, 12], Gen.Double[-3, 3], Gen.Double[-9, 9]).Sample((values, scale, shift) =>
        {
            SeedMean plain = SeedMean.Of(values), moved = SeedMean.Of([.. values.Select(v => (scale * v) + shift)]);
            Assert.Equal((scale * plain.Mean) + shift, moved.Mean, 1e-12);
            Assert.Equal(Math.Abs(scale) * plain.HalfWidth!.Value, moved.HalfWidth!.Value, 1e-10);
            Assert.True(SeedMean.Of(values, 0.99).HalfWidth >= plain.HalfWidth);
        }, iter: 200);

    [Fact]
    public void Given_nothing_to_sum_up_When_asked_Then_says_what_is_wrong()
    {
        Assert.Contains("got none", Assert.Throws<ArgumentException>(() => SeedMean.Of([])).Message);
        Assert.Contains("got NaN", Assert.Throws<ArgumentException>(() => SeedMean.Of([1, double.NaN])).Message);
        Assert.Contains("(0, 1), got 1", Assert.Throws<ArgumentOutOfRangeException>(() => SeedMean.Of([1], 1)).Message);
        Assert.Contains("in common", Assert.Throws<ArgumentException>(() =>
            SeedMean.OfDifferences(new Dictionary<int, double> { [1] = 1 }, new Dictionary<int, double> { [2] = 1 })).Message);
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(Math.Tau * random.NextDouble());
}
