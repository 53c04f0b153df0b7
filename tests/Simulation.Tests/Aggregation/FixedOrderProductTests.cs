using System.Numerics;
using Chorus.Simulation.Aggregation;
using CsCheck;

namespace Chorus.Simulation.Tests.Aggregation;

public class FixedOrderProductTests
{
    // Shapes about the edges of tiles (4 vectors, 12 rows) and of chunks (128 terms).
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(4, 12, 128)]
    [InlineData(5, 13, 129)]
    [InlineData(3, 11, 127)]
    [InlineData(9, 25, 384)]
    [InlineData(17, 40, 300)]
    [InlineData(2, 0, 5)]
    [InlineData(0, 7, 5)]
    public void Given_any_shape_When_multiplied_Then_every_bit_is_as_plain_scalar_code_in_the_written_order_gives(int vectors, int rows, int dimension)
    {
        var random = new Random(vectors + rows + dimension);
        double[] x = Numbers(random, vectors * dimension), a = Numbers(random, rows * dimension);
        var product = new FixedOrderProduct(rows, dimension, (k, row) => a.AsSpan(k * dimension, dimension).CopyTo(row));
        var y = new double[vectors * rows];
        Array.Fill(y, double.NaN);
        product.Multiply(x, y);
        for (int i = 0; i < vectors; i++)
        {
            for (int k = 0; k < rows; k++)
                Assert.Equal(BitConverter.DoubleToInt64Bits(Plain(x, i, a, k, dimension)), BitConverter.DoubleToInt64Bits(y[(i * rows) + k]));
        }
    }

    [Fact]
    public void Given_any_numbers_When_multiplied_Then_the_error_is_within_the_bound_of_its_depth() =>
        Gen.Select(Gen.Int[1, 700], Gen.Int).Sample((dimension, seed) =>
        {
            var random = new Random(seed);
            double[] x = Numbers(random, dimension), a = Numbers(random, dimension);
            var y = new double[1];
            new FixedOrderProduct(1, dimension, (_, row) => a.CopyTo(row)).Multiply(x, y);
            BigInteger exact = 0, size = 0;
            for (int j = 0; j < dimension; j++)
            {
                BigInteger term = (BigInteger)x[j] * (BigInteger)a[j];
                exact += term;
                size += BigInteger.Abs(term);
            }

            BigInteger error = BigInteger.Abs((BigInteger)y[0] - exact);
            Assert.True(error << 53 <= (FixedOrderProduct.Depth(dimension) + 1) * size, $"{y[0]} is off {exact} by {error}");
        });

    [Fact]
    public void Given_lengths_that_do_not_fit_When_multiplied_Then_refused()
    {
        var product = new FixedOrderProduct(3, 2, (_, row) => row.Fill(1));
        Assert.Throws<ArgumentException>(() => product.Multiply(new double[3], new double[3]));
        Assert.Throws<ArgumentException>(() => product.Multiply(new double[4], new double[5]));
    }

    private static double Plain(double[] x, int i, double[] a, int k, int dimension)
    {
        double total = 0;
        for (int start = 0; start < dimension; start += 128)
        {
            double chunk = 0;
            for (int j = start; j < Math.Min(start + 128, dimension); j++)
                chunk = Math.FusedMultiplyAdd(x[(i * dimension) + j], a[(k * dimension) + j], chunk);
            total = start == 0 ? chunk : total + chunk;
        }

        return total;
    }

    // Whole numbers of 31 bits: a double holds them exactly, but not their products.
    private static double[] Numbers(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (double)random.Next(int.MinValue, int.MaxValue))];
}
