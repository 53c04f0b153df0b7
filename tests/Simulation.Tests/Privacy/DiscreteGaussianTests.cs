using Chorus.Simulation.Privacy;
using MathNet.Numerics.Distributions;

namespace Chorus.Simulation.Tests.Privacy;

public class DiscreteGaussianTests
{
    [Theory]
    [InlineData(0.3, 1_000_000)]
    [InlineData(0.7, 1_000_000)]
    [InlineData(1.75, 10_000_000)]
    [InlineData(5, 1_000_000)]
    [InlineData(5.4321, 1_000_000)]
    public void Given_a_small_sigma_When_drawn_millions_of_times_Then_counts_fit_the_definition(double sigma, int draws)
    {
        var sampler = new DiscreteGaussian(sigma, new SeededRandomSource(20, $"chi-square/{sigma}"));
        int reach = (int)(12 * sigma) + 3;
        var counts = new long[(2 * reach) + 1];
        for (int i = 0; i < draws; i++)
            counts[Math.Clamp(sampler.Draw(), -reach, reach) + reach]++;

        double[] weight = [.. Enumerable.Range(-reach, counts.Length).Select(y => Math.Exp(-(double)y * y / (2 * sigma * sigma)))];
        double total = weight.Sum();
        double chiSquare = 0, restExpected = 0, restSeen = 0;
        int cells = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            double expected = draws * weight[i] / total;
            if (expected < 20)
            {
                (restExpected, restSeen) = (restExpected + expected, restSeen + counts[i]);
                continue;
            }

            chiSquare += (counts[i] - expected) * (counts[i] - expected) / expected;
            cells++;
        }

        if (restExpected > 1)
        {
            chiSquare += (restSeen - restExpected) * (restSeen - restExpected) / restExpected;
            cells++;
        }

        // The seed is fixed, so this fails always or never; a right sampler fails one seed in ten thousand.
        double p = 1 - ChiSquared.CDF(cells - 1, chiSquare);
        Assert.True(p > 1e-4, $"chi-square {chiSquare:F1} over {cells} cells, p = {p:E1}");
    }

    [Theory]
    [InlineData(100.5)]
    [InlineData(19.3 * (1 << 24))]
    [InlineData(1e12)]
    public void Given_a_large_sigma_When_drawn_Then_moments_and_tails_are_those_of_a_normal(double sigma)
    {
        const int Draws = 200_000;
        var sampler = new DiscreteGaussian(sigma, new SeededRandomSource(3, "moments"));
        double sum = 0, square = 0, fourth = 0;
        int above = 0, below = 0, beyondTwo = 0;
        for (int i = 0; i < Draws; i++)
        {
            double z = sampler.Draw() / sigma;
            sum += z;
            square += z * z;
            fourth += z * z * z * z;
            above += z > 1 ? 1 : 0;
            below += z < -1 ? 1 : 0;
            beyondTwo += Math.Abs(z) > 2 ? 1 : 0;
        }

        // Five standard errors each: 1, sqrt 2, sqrt 96 and the binomial deviations, over sqrt(200,000).
        Assert.InRange(sum / Draws, -0.0112, 0.0112);
        Assert.InRange(square / Draws, 1 - 0.0159, 1 + 0.0159);
        Assert.InRange(fourth / Draws, 3 - 0.11, 3 + 0.11);
        Assert.InRange(above / (double)Draws, 0.15866 - 0.0055, 0.15866 + 0.0055);   // 100.5 is coarse: one step is 0.0024
        Assert.InRange(below / (double)Draws, 0.15866 - 0.0055, 0.15866 + 0.0055);
        Assert.InRange(beyondTwo / (double)Draws, 0.0455 - 0.0035, 0.0455 + 0.0035);
    }

    [Fact]
    public void Given_the_papers_sigma_When_drawn_Then_the_distribution_is_the_normal_one_all_along()
    {
        // Kolmogorov-Smirnov over 100,000 draws: 1.95 / sqrt(n) is passed by one right sampler in a thousand.
        const int Draws = 100_000;
        double sigma = 19.3 * (1 << 24);
        var sampler = new DiscreteGaussian(sigma, new SeededRandomSource(8, "ks"));
        double[] z = [.. Enumerable.Range(0, Draws).Select(_ => sampler.Draw() / sigma).Order()];
        double furthest = z.Select((x, i) => Math.Max(Math.Abs(Normal.CDF(0, 1, x) - (i / (double)Draws)), Math.Abs(Normal.CDF(0, 1, x) - ((i + 1) / (double)Draws)))).Max();
        Assert.True(furthest < 1.95 / Math.Sqrt(Draws), $"distance {furthest}");
    }

    [Fact]
    public void Given_one_seed_When_drawn_twice_Then_the_same_noise_and_AddTo_adds_it()
    {
        var first = new DiscreteGaussian(1e6, new SeededRandomSource(1, "noise/1"));
        var second = new DiscreteGaussian(1e6, new SeededRandomSource(1, "noise/1"));
        var other = new DiscreteGaussian(1e6, new SeededRandomSource(1, "noise/2"));
        long[] drawn = [.. Enumerable.Range(0, 50).Select(_ => first.Draw())];
        var sum = new long[50];
        Array.Fill(sum, 1000L);
        second.AddTo(sum);
        Assert.Equal(drawn.Select(d => d + 1000), sum);
        Assert.NotEqual(drawn, Enumerable.Range(0, 50).Select(_ => other.Draw()));
    }

    [Fact]
    public void Given_a_sum_at_the_edge_of_64_bits_When_noised_Then_refused_and_left_as_it_was()
    {
        long[] sum = [5, long.MaxValue, long.MinValue];
        Assert.Throws<OverflowException>(() =>
        {
            for (int i = 0; i < 100; i++)
                new DiscreteGaussian(1e6, new SeededRandomSource((ulong)i, "edge")).AddTo(sum);
        });
        Assert.Equal([5, long.MaxValue, long.MinValue], sum);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e17)]
    public void Given_a_sigma_out_of_range_When_made_Then_refused(double sigma) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new DiscreteGaussian(sigma, new CryptographicRandomSource()));

    [Fact]
    public void Given_the_cryptographic_source_When_drawn_Then_draws_differ()
    {
        var sampler = new DiscreteGaussian(1e9, new CryptographicRandomSource());
        Assert.True(Enumerable.Range(0, 20).Select(_ => sampler.Draw()).Distinct().Count() > 15);
    }
}
