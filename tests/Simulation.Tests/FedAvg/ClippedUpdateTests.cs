using System.Numerics;
using Chorus.Simulation.FedAvg;
using CsCheck;

namespace Chorus.Simulation.Tests.FedAvg;

public class ClippedUpdateTests
{
    private static readonly BigInteger One = BigInteger.Pow(2, 48);

    [Fact]
    public void Given_a_short_change_When_clipped_Then_it_is_divided_by_the_threshold_alone()
    {
        var grid = new long[2];
        Assert.True(ClippedUpdate.TryClip([0.03f, -0.04f], 0.5, grid));
        Assert.Equal(0.06, grid[0] / Math.ScaleB(1, 24), 1e-7);
        Assert.Equal(-0.08, grid[1] / Math.ScaleB(1, 24), 1e-7);
    }

    [Fact]
    public void Given_a_long_change_When_clipped_Then_its_direction_stays_and_its_norm_is_one()
    {
        var grid = new long[2];
        Assert.True(ClippedUpdate.TryClip([30, -40], 0.5, grid));
        Assert.Equal(0.6, grid[0] / Math.ScaleB(1, 24), 1e-7);
        Assert.Equal(-0.8, grid[1] / Math.ScaleB(1, 24), 1e-7);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Given_a_change_that_is_not_finite_When_clipped_Then_it_counts_as_none(float value)
    {
        long[] grid = [7, 7, 7];
        Assert.False(ClippedUpdate.TryClip([1, value, 1], 1, grid));
        Assert.Equal([0, 0, 0], grid);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    public void Given_a_threshold_that_clips_nothing_When_clipped_Then_refused(double threshold) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ClippedUpdate.TryClip([1], threshold, new long[1]));

    // What the release's sensitivity rests on, in exact arithmetic.
    [Fact]
    public void Given_any_change_When_clipped_Then_the_norm_on_the_grid_is_at_most_one() =>
        Gen.Select(Gen.Single.Array[1, 300], Gen.Double[1e-6, 1e6]).Sample((delta, threshold) =>
        {
            var grid = new long[delta.Length];
            return ClippedUpdate.TryClip(delta, threshold, grid) ? Square(grid) <= One : Square(grid).IsZero;
        });

    [Theory]
    [InlineData(1, 1e-3)]
    [InlineData(65_536, 1e-3)]
    [InlineData(65_537, 1e-3)]
    [InlineData(300_000, 1e-3)]
    [InlineData(300_000, 1e-30)]
    [InlineData(300_000, 1e30)]
    public void Given_many_equal_weights_at_the_threshold_When_clipped_Then_the_norm_comes_near_one_and_not_above(int count, double size)
    {
        var delta = new float[count];
        Array.Fill(delta, (float)size);
        var grid = new long[count];
        Assert.True(ClippedUpdate.TryClip(delta, ClippedUpdate.Norm(delta), grid));
        double square = (double)Square(grid) / (double)One;
        Assert.InRange(square, 0.99, 1); // each of many small numbers is cut to the grid
        Assert.True(Square(grid) <= One);
    }

    private static BigInteger Square(long[] grid) => grid.Aggregate(BigInteger.Zero, (sum, g) => sum + BigInteger.Pow(g, 2));
}
