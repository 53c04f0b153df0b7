using System.Numerics;
using Chorus.Simulation.Aggregation;
using CsCheck;

namespace Chorus.Simulation.Tests.Aggregation;

public class VoteGateTests
{
    private const long One = FixedPointGrid.UnitsPerOne;

    // About the bound, any bits, and numbers that look small to careless arithmetic: sign extremes, and 2^32 apart.
    private static readonly Gen<long> Units = Gen.Frequency(
        (6, Gen.Long[-One, One]), (3, Gen.Long[-One / 8, One / 8]), (1, Gen.Long),
        (1, Gen.OneOf(Gen.Const(long.MinValue), Gen.Const(long.MaxValue), Gen.Const(One + 1), Gen.Const(-One - 1), Gen.Const(1L << 32), Gen.Const(1L << 25), Gen.Const(0L))));

    [Fact]
    public void Given_any_bits_When_admitted_Then_the_norm_is_at_most_1_and_what_fits_is_left_as_it_is() =>
        Gen.OneOf(Units.Array[0, 40], Gen.Long[-One / 6, One / 6].Array[20, 40], Gen.Int[0, 1].Select(i => i == 0 ? new[] { One } : [0, One, 1])).Sample(
            vote =>
            {
                long[] before = [.. vote];
                bool fits = SquareOf(before) <= BigInteger.Pow(One, 2);
                Assert.Equal(fits, VoteGate.Clipping.Admit(vote));
                Assert.True(SquareOf(vote) <= BigInteger.Pow(One, 2));
                if (fits)
                    Assert.Equal(before, vote);
            },
            iter: 20_000);

    [Fact]
    public void Given_a_vote_that_is_too_long_When_admitted_Then_it_keeps_its_direction()
    {
        long[] vote = [3 * One, -4 * One, 0, 0, 0];
        Assert.False(VoteGate.Clipping.Admit(vote));
        Assert.Equal(0.6, vote[0] / (double)One, 1e-5);
        Assert.Equal(-0.8, vote[1] / (double)One, 1e-5);
        long[] extreme = [long.MinValue, long.MaxValue, 0, 0, 0, 7];
        Assert.False(VoteGate.Clipping.Admit(extreme));
        Assert.Equal(-Math.Sqrt(0.5), extreme[0] / (double)One, 1e-5);
        Assert.Equal(Math.Sqrt(0.5), extreme[1] / (double)One, 1e-5);
    }

    [Fact]
    public void Given_the_longest_vote_When_every_coordinate_is_at_the_bound_Then_it_is_clipped()
    {
        var vote = new long[1 << 20];
        Array.Fill(vote, One);
        Assert.False(VoteGate.Clipping.Admit(vote));
        Assert.True(SquareOf(vote) <= BigInteger.Pow(One, 2));
        Assert.InRange(vote[0], (One >> 10) - 1, One >> 10);
        Array.Fill(vote, 1L << 14);
        Assert.True(VoteGate.Clipping.Admit(vote)); // exactly 1
        vote[77]++;
        Assert.False(VoteGate.Clipping.Admit(vote)); // the least that is too long
    }

    private static BigInteger SquareOf(long[] vote) => vote.Aggregate(BigInteger.Zero, (sum, v) => sum + ((BigInteger)v * v));
}
