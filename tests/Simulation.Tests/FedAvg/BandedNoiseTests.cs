using System.Numerics;
using Chorus.Simulation.FedAvg;
using Chorus.Simulation.Privacy;
using CsCheck;

namespace Chorus.Simulation.Tests.FedAvg;

public class BandedNoiseTests
{
    [Theory]
    [InlineData(1, new double[] { 1 })]
    [InlineData(4, new double[] { 1, 0.5, 0.375, 0.3125 })]
    [InlineData(8, new double[] { 1, 0.5, 0.375, 0.3125, 0.2734375, 0.24609375, 0.2255859375, 0.20947265625 })]
    public void Given_bands_When_one_sum_is_carried_over_the_rounds_Then_rows_hold_the_coefficients(int bands, double[] expected)
    {
        var noise = new BandedNoise(bands);
        var sums = new List<long[]>();
        for (int t = 0; t < bands + 2; t++)
        {
            sums.Insert(0, [t == 0 ? 1L << 24 : 0]);
            double row = Math.ScaleB(noise.Row(sums)[0], -24 - noise.ExtraBits);
            Assert.Equal(t < bands ? expected[t] : 0, row);
        }

        Assert.Equal(Math.Sqrt(expected.Sum(c => c * c)), noise.ColumnNorm, 1e-15);
    }

    [Fact]
    public void Given_rows_without_noise_When_taken_apart_Then_the_sums_come_back_exactly() =>
        Gen.Select(Gen.Int[1, 8], Gen.Long[-(1L << 42), 1L << 42].Array[3].Array[1, 15]).Sample((bands, sums) =>
        {
            var noise = new BandedNoise(bands);
            var earlier = new List<long[]>();
            var solved = new List<double[]>();
            foreach (long[] sum in sums)
            {
                long[] row = noise.Row([sum, .. earlier]);
                if (!noise.SumOf(row, earlier).SequenceEqual(sum))
                    return false;
                double[] back = noise.Solve([.. row.Select(r => Math.ScaleB(r, -noise.ExtraBits))], solved);
                if (back.Zip(sum).Any(p => !(Math.Abs(p.First - p.Second) <= 1e-6 * (1L << 42))))
                    return false;
                earlier.Insert(0, sum);
                solved.Insert(0, back);
            }

            return true;
        });

    [Fact]
    public void Given_a_row_of_other_sums_When_taken_apart_Then_it_is_refused()
    {
        var noise = new BandedNoise(3);
        Assert.Throws<ArgumentException>(() => noise.SumOf(noise.Row([[5], [7]]), [[8]]));
    }

    // Take part once in as many rounds as there are bands, each time with norm 1: all rows together move by sqrt(times) |c|, not more.
    [Fact]
    public void Given_a_client_that_takes_part_in_turns_When_removed_Then_all_rows_together_move_by_no_more_than_they_are_charged_for() =>
        Gen.Select(Gen.Int[1, 8], Gen.Int[1, 4], Gen.Int[0, 7], Gen.Long[-(1L << 23), 1L << 23].Array[2].Array[40]).Sample((bands, passes, turn, vectors) =>
        {
            var noise = new BandedNoise(bands);
            var (with, without) = (new List<long[]>(), new List<long[]>());
            BigInteger moved = 0;
            int took = 0;
            for (int t = 0; t < bands * passes + 3; t++)
            {
                long[] others = [1000 - t, t * t], own = [0, 0];
                if (t % bands == turn % bands)
                {
                    own = vectors[took++]; // of norm at most 2^24 units
                }

                with.Insert(0, [others[0] + own[0], others[1] + own[1]]);
                without.Insert(0, others);
                moved += noise.Row(with).Zip(noise.Row(without), (a, b) => BigInteger.Pow(a - b, 2)).Aggregate(BigInteger.Zero, (a, b) => a + b);
            }

            double bound = took * Math.Pow(Math.ScaleB(noise.ColumnNorm, 24 + noise.ExtraBits), 2);
            return (double)moved <= bound * (1 + 1e-12);
        });

    [Fact]
    public void Given_noise_When_drawn_Then_its_deviation_is_the_multiplier_times_the_column_norm()
    {
        var noise = new BandedNoise(4);
        var row = new long[4000];
        noise.AddNoise(row, 2, 24, new SeededRandomSource(1, "banded"));
        double deviation = Math.Sqrt(row.Average(r => Math.Pow(Math.ScaleB(r, -24 - noise.ExtraBits), 2)));
        Assert.Equal(2 * noise.ColumnNorm, deviation, 0.15); // 4,000 draws: 1.1% is one deviation, 0.027 here
    }

    // The point of it: what a training adds up carries less noise than independent noise of the same cost would leave.
    [Fact]
    public void Given_as_many_bands_as_turns_When_sums_are_added_up_Then_the_noise_in_them_is_less_than_of_independent_noise()
    {
        const int Rounds = 24, Bands = 8, Copies = 400;
        var noise = new BandedNoise(Bands);
        List<double[]> solved = [];
        double banded = 0, independent = 0;
        var total = new double[Copies];
        for (int t = 1; t <= Rounds; t++)
        {
            var row = new long[Copies];
            noise.AddNoise(row, 1, 24, new SeededRandomSource(5, $"round/{t}"));
            solved.Insert(0, noise.Solve([.. row.Select(r => Math.ScaleB(r, -24 - noise.ExtraBits))], solved));
            for (int i = 0; i < Copies; i++)
                total[i] += solved[0][i];
            banded += total.Average(x => x * x);
            independent += t;
        }

        Assert.True(banded < 0.75 * independent, $"{banded} against {independent}");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    public void Given_bands_out_of_range_When_made_Then_refused(int bands) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new BandedNoise(bands));
}
