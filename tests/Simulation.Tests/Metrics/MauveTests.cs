using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using CsCheck;

namespace Chorus.Simulation.Tests.Metrics;

public class MauveTests
{
    [Fact]
    public void Given_distributions_that_share_nothing_When_measured_Then_the_closed_form()
    {
        // KL(P|R) = -log w and KL(Q|R) = -log(1 - w): the area under ((1-w)^c, w^c) is c B(c, c + 1) = c! c! / (2c)!, c = 5.
        Assert.Equal(120.0 * 120 / 3_628_800, Mauve.Area([0.25, 0.75, 0, 0], [0, 0, 0.9, 0.1]), 1e-6);
        Assert.Equal(1, Mauve.Area([0.3, 0.7], [0.3, 0.7]), 1e-12);
    }

    [Fact]
    public void Given_any_distributions_When_measured_Then_as_by_adding_up_thin_columns_and_the_same_both_ways()
    {
        Gen<double[]> distribution = Gen.Int[0, 5].Array[4].Where(w => w.Sum() > 0).Select(w => w.Select(x => (double)x / w.Sum()).ToArray());
        Gen.Select(distribution, distribution).Sample((p, q) =>
        {
            double area = Mauve.Area(p, q);
            Assert.Equal(Columns(p, q), area, 2e-3);
            Assert.Equal(area, Mauve.Area(q, p), 1e-9);
            Assert.InRange(area, 120.0 * 120 / 3_628_800 - 1e-6, 1);   // nothing is less alike than what shares nothing
        }, iter: 100);
    }

    [Fact]
    public void Given_sets_of_one_law_and_sets_moved_apart_When_measured_Then_alike_and_less_and_less_so()
    {
        EmbeddingMatrix Set(int rows, int seed, double shift) => FrechetDistanceTests.Gaussian(rows, 6, seed, _ => 1, j => j == 0 ? shift : 0);
        EmbeddingMatrix set = Set(600, 1, 0);
        double[] measured = [.. new[] { 0, 1, 2, 4.0 }.Select(shift => Mauve.Between(set, Set(900, 2, shift)))];
        Assert.InRange(measured[0], 0.9, 1);
        Assert.Equal(measured.OrderDescending(), measured);
        Assert.InRange(measured[3], 0, 0.1);
        Assert.Equal(1, Mauve.Between(set, set), 1e-12);
        Assert.Equal(measured[1], Mauve.Between(set, Set(900, 2, 1)));
    }

    [Fact]
    public void Given_sets_that_lose_modes_When_measured_Then_less_alike()
    {
        // Mode collapse: all means agree, but one set holds two of four clusters only.
        EmbeddingMatrix Modes(int[] modes, int seed)
        {
            var random = new Random(seed);
            return new EmbeddingMatrix(400, 2, [.. Enumerable.Range(0, 400).SelectMany(i =>
            {
                double angle = Math.PI / 2 * modes[i % modes.Length];
                return new[] { (float)(Math.Cos(angle) + (0.1 * random.NextDouble())), (float)(Math.Sin(angle) + (0.1 * random.NextDouble())) };
            })]);
        }

        double whole = Mauve.Between(Modes([0, 1, 2, 3], 1), Modes([0, 1, 2, 3], 2)), collapsed = Mauve.Between(Modes([0, 2], 1), Modes([0, 1, 2, 3], 2));
        Assert.True(collapsed < whole - 0.3, $"{collapsed} {whole}");
    }

    [Fact]
    public void Given_sets_too_small_When_measured_Then_refused()
    {
        EmbeddingMatrix few = FrechetDistanceTests.Gaussian(19, 3, 1, _ => 1, _ => 0), enough = FrechetDistanceTests.Gaussian(20, 3, 1, _ => 1, _ => 0);
        Assert.Contains("at least 20 rows", Assert.Throws<ArgumentException>(() => Mauve.Between(few, enough)).Message);
    }

    // y at each x, found among many mixtures; no trapezoids.
    private static double Columns(double[] p, double[] q)
    {
        double Kl(double[] a, double w) => a.Select((x, i) => x > 0 ? x * Math.Log(x / ((w * p[i]) + ((1 - w) * q[i]))) : 0).Sum();
        (double X, double Y)[] frontier = [.. Enumerable.Range(0, 20_001).Select(i => (Math.Exp(-5 * Kl(q, i / 20_000.0)), Math.Exp(-5 * Kl(p, i / 20_000.0))))];
        const int columns = 2_000;
        double sum = 0;
        int at = 0;
        for (int c = columns - 1; c >= 0; c--)   // x falls as w rises
        {
            double x = (c + 0.5) / columns;
            while (at < frontier.Length - 1 && frontier[at].X > x)
                at++;
            sum += (frontier[at].X > x ? 1 : frontier[at].Y) / columns;
        }

        return sum;
    }
}
