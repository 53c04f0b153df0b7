using System.Numerics;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using CsCheck;

namespace Chorus.Simulation.Tests.Aggregation;

public class FixedPointGridTests
{
    private static readonly Gen<double> Coordinate = Gen.Double[-1, 1];

    [Fact]
    public void Given_values_When_rounded_Then_cut_towards_zero()
    {
        double unit = Math.ScaleB(1, -24);
        var grid = new long[8];
        FixedPointGrid.Round([1, -1, 1.99 * unit, -1.99 * unit, 0.99 * unit, -0.0, double.Epsilon, 1 - Math.ScaleB(1, -53)], grid);
        Assert.Equal([1L << 24, -(1L << 24), 1, -1, 0, 0, 0, (1L << 24) - 1], grid);
        Assert.Equal([1.0, -1.0, unit], FixedPointGrid.ToDouble(grid)[..3]);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(274877906944.0)]
    public void Given_a_value_off_the_range_When_added_Then_refused_and_nothing_is_added(double value)
    {
        long[] sum = [5, 6];
        Assert.Throws<ArgumentException>(() => FixedPointGrid.AddRounded([1, value], sum));
        Assert.Throws<ArgumentException>(() => FixedPointGrid.Round([1, value], new long[2]));
        Assert.Throws<ArgumentException>(() => FixedPointGrid.AddRounded([1], sum));
        Assert.Equal([5, 6], sum);
    }

    [Fact]
    public void Given_a_sum_past_64_bits_When_added_Then_refused_and_nothing_is_added()
    {
        long[] sum = [1, long.MaxValue - 1];
        Assert.Throws<OverflowException>(() => FixedPointGrid.Add([1, 2], sum));
        Assert.Throws<OverflowException>(() => FixedPointGrid.AddRounded([1, 1], sum));
        Assert.Equal([1, long.MaxValue - 1], sum);
        FixedPointGrid.Add([-3, 1], sum);
        Assert.Equal([-2, long.MaxValue], sum);
    }

    [Fact]
    public void Given_votes_When_added_in_any_order_and_grouping_Then_the_sum_is_the_same()
    {
        Gen.Select(Coordinate.Array[6].Array[1, 30], Gen.Int[1, 7], Gen.Int).Sample((votes, groups, seed) =>
        {
            var inOrder = new long[6];
            foreach (double[] vote in votes)
                FixedPointGrid.AddRounded(vote, inOrder);

            double[][] shuffled = [.. votes];
            new Random(seed).Shuffle(shuffled);
            var grouped = new long[6];
            foreach (double[][] group in shuffled.Chunk(groups))
            {
                var partial = new long[6];
                foreach (double[] vote in group)
                    FixedPointGrid.AddRounded(vote, partial);
                FixedPointGrid.Add(partial, grouped);
            }

            Assert.Equal(inOrder, grouped);
        });
    }

    [Fact]
    public void Given_a_population_When_any_client_joins_or_leaves_Then_the_sum_moves_by_at_most_1()
    {
        // The claim that the privacy statement rests on, end to end: floats in, integers out.
        const int Candidates = 24, Dimension = 9;
        var random = new Random(4);
        var scorer = new CandidateScorer(new EmbeddingMatrix(Candidates, Dimension, [.. Enumerable.Range(0, Candidates * Dimension).Select(_ => (float)((random.NextDouble() * 2) - 1))]));
        Gen<float> number = Gen.Frequency((8, Gen.Float[-1, 1]), (1, Gen.Float));
        Gen<float[]> client = Gen.Int[0, 5].SelectMany(n => number.Array[n * Dimension]);
        Gen.Select(client.Array[1, 8], Gen.Int[0, 7]).Sample((clients, pick) =>
        {
            int removed = pick % clients.Length;
            var with = new long[Candidates];
            var without = new long[Candidates];
            var vote = new double[Candidates];
            for (int i = 0; i < clients.Length; i++)
            {
                scorer.Vote(clients[i], vote);
                FixedPointGrid.AddRounded(vote, with);
                if (i != removed)
                    FixedPointGrid.AddRounded(vote, without);
            }

            BigInteger moved = 0;
            for (int k = 0; k < Candidates; k++)
                moved += BigInteger.Pow(with[k] - without[k], 2);
            Assert.True(moved <= BigInteger.One << (2 * FixedPointGrid.FractionBits));
        });
    }
}
