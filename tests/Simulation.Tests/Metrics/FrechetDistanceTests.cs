using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using CsCheck;
using MathNet.Numerics.LinearAlgebra;

namespace Chorus.Simulation.Tests.Metrics;

public class FrechetDistanceTests
{
    [Fact]
    public void Given_the_same_set_twice_When_compared_Then_zero()
    {
        EmbeddingMatrix set = Gaussian(500, 60, 1, _ => 0.1, _ => 0);
        Assert.InRange(FrechetDistance.Between(set, set), 0, 1e-6);
        EmbeddingMatrix few = Gaussian(10, 60, 1, _ => 0.1, _ => 0);   // singular covariance
        Assert.InRange(FrechetDistance.Between(few, few), 0, 1e-6);
    }

    [Fact]
    public void Given_a_shifted_set_When_compared_Then_the_squared_shift()
    {
        // Multiples of 2^-10, so that adding the shift in float32 is exact and the covariances are equal.
        var random = new Random(2);
        float[] values = [.. Enumerable.Range(0, 300 * 20).Select(_ => random.Next(-512, 512) / 1024f)];
        var set = new EmbeddingMatrix(300, 20, values);
        var shifted = new EmbeddingMatrix(300, 20, [.. values.Select((v, i) => v + ((i % 20) / 4f))]);
        double expected = Enumerable.Range(0, 20).Sum(j => j / 4.0 * (j / 4.0));
        Assert.Equal(expected, FrechetDistance.Between(set, shifted), 1e-6 * expected);
        Assert.Equal(expected, MeanDistance.Squared(set, shifted), 1e-12 * expected);
    }

    [Fact]
    public void Given_sets_with_diagonal_covariances_When_compared_Then_the_closed_form()
    {
        // Rows +-x e_j: mean 0 and a diagonal covariance of 2 x_j^2 / (rows - 1), so FID = sum of (sqrt c1 - sqrt c2)^2.
        const int Dimension = 12;
        static EmbeddingMatrix Cross(Func<int, float> reach)
        {
            var values = new float[2 * Dimension * Dimension];
            for (int j = 0; j < Dimension; j++)
                (values[(2 * j * Dimension) + j], values[(((2 * j) + 1) * Dimension) + j]) = (reach(j), -reach(j));
            return new EmbeddingMatrix(2 * Dimension, Dimension, values);
        }

        static float A(int j) => j + 1;
        static float B(int j) => j < 3 ? 0 : 7 - (j / 2f);
        double expected = Enumerable.Range(0, Dimension).Sum(j => Math.Pow(A(j) - B(j), 2)) * 2 / ((2 * Dimension) - 1);
        Assert.Equal(expected, FrechetDistance.Between(Cross(A), Cross(B)), 1e-6);
        Assert.Equal(expected, FrechetDistance.Between(Cross(B), Cross(A)), 1e-6);
    }

    [Fact]
    public void Given_any_sets_When_compared_Then_as_matrix_roots_by_another_library_give()
    {
        Gen.Select(Gen.Int[2, 40], Gen.Int[2, 40], Gen.Int[1, 24], Gen.Int).Sample((rowsA, rowsB, dimension, seed) =>
        {
            EmbeddingMatrix a = Gaussian(rowsA, dimension, seed, j => 1.0 / (1 + j), j => j % 3);
            EmbeddingMatrix b = Gaussian(rowsB, dimension, unchecked(seed + 1), j => (j % 5) + 0.1, _ => 0.5);
            (Vector<double> meanA, Matrix<double> covA) = Plain(a);
            (Vector<double> meanB, Matrix<double> covB) = Plain(b);
            Matrix<double> rootA = Root(covA);
            double expected = Math.Pow((meanA - meanB).L2Norm(), 2) + covA.Trace() + covB.Trace() - (2 * Root(rootA * covB * rootA).Trace());
            double scale = covA.Trace() + covB.Trace();
            Assert.Equal(expected, FrechetDistance.Between(a, b), 2e-6 * scale);
            Assert.Equal(Math.Pow((meanA - meanB).L2Norm(), 2), MeanDistance.Squared(a, b), 1e-10 * scale);
        }, iter: 200);
    }

    [Fact]
    public void Given_a_matrix_with_known_eigenvalues_When_solved_Then_those()
    {
        // The second-difference matrix has eigenvalues 2 - 2 cos(i pi / (n + 1)); a rotation of the first axes keeps them.
        const int N = 50;
        Matrix<double> t = Matrix<double>.Build.Dense(N, N, (i, j) => i == j ? 2 : Math.Abs(i - j) == 1 ? -1 : 0);
        Matrix<double> q = Matrix<double>.Build.Random(N, N, 3).QR().Q;
        Matrix<double> full = q * t * q.Transpose();
        double[] eigenvalues = SymmetricMatrix.Eigenvalues([.. full.EnumerateRows().Select(r => r.ToArray())]);
        for (int i = 0; i < N; i++)
            Assert.Equal(2 - (2 * Math.Cos((i + 1) * Math.PI / (N + 1))), eigenvalues[i], 1e-12);
        Assert.Empty(SymmetricMatrix.Eigenvalues([]));
        Assert.Equal([0.0, 0, 5], SymmetricMatrix.Eigenvalues([[5, 0, 0], [0, 0, 0], [0, 0, 0]]), (x, y) => Math.Abs(x - y) < 1e-14);
    }

    [Fact]
    public void Given_sets_that_cannot_be_compared_When_compared_Then_refused()
    {
        EmbeddingMatrix ok = Gaussian(5, 3, 1, _ => 1, _ => 0);
        Assert.Throws<ArgumentException>(() => FrechetDistance.Between(ok, Gaussian(5, 4, 1, _ => 1, _ => 0)));
        Assert.Throws<ArgumentException>(() => FrechetDistance.Between(ok, Gaussian(1, 3, 1, _ => 1, _ => 0)));
        Assert.Throws<ArgumentException>(() => FrechetDistance.Between(ok, new EmbeddingMatrix(2, 3, [1, 2, 3, 4, float.NaN, 6])));
        Assert.Throws<ArgumentException>(() => MeanDistance.Squared(ok, new EmbeddingMatrix(0, 3, [])));
    }

    internal static EmbeddingMatrix Gaussian(int rows, int dimension, int seed, Func<int, double> deviation, Func<int, double> mean)
    {
        var random = new Random(seed);
        var values = new float[rows * dimension];
        for (int i = 0; i < values.Length; i++)
        {
            double z = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(Math.Tau * random.NextDouble());
            values[i] = (float)(mean(i % dimension) + (deviation(i % dimension) * z));
        }

        return new EmbeddingMatrix(rows, dimension, values);
    }

    private static (Vector<double> Mean, Matrix<double> Covariance) Plain(EmbeddingMatrix rows)
    {
        Matrix<double> x = Matrix<double>.Build.Dense(rows.Rows, rows.Dimension, (i, j) => rows.Row(i)[j]);
        Vector<double> mean = x.ColumnSums() / rows.Rows;
        Matrix<double> centred = x - Matrix<double>.Build.Dense(rows.Rows, rows.Dimension, (_, j) => mean[j]);
        return (mean, centred.TransposeThisAndMultiply(centred) / (rows.Rows - 1));
    }

    private static Matrix<double> Root(Matrix<double> a)
    {
        var evd = ((a + a.Transpose()) / 2).Evd(Symmetricity.Symmetric);
        return evd.EigenVectors * Matrix<double>.Build.DenseOfDiagonalVector(evd.EigenValues.Map(e => Math.Sqrt(Math.Max(0, e.Real)))) * evd.EigenVectors.Transpose();
    }
}
