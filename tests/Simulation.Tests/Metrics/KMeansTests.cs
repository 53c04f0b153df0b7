using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using CsCheck;

namespace Chorus.Simulation.Tests.Metrics;

public class KMeansTests
{
    [Fact]
    public void Given_clusters_far_apart_When_fitted_Then_they_are_found()
    {
        var random = new Random(1);
        int[] truth = [.. Enumerable.Range(0, 300).Select(i => i % 5)];
        var points = new EmbeddingMatrix(300, 3, [.. truth.SelectMany(k => Enumerable.Range(0, 3).Select(j => (j == k % 3 ? 10f + (k * 10) : 0) + random.NextSingle()))]);
        Clustering found = KMeans.Fit(points, 5, seed: 2);
        Assert.Equal(5, found.Centres.Length);
        Assert.Equal(5, truth.Zip(found.Of).Distinct().Count());
        Assert.Equal(found.Of, found.Assign(points));
        Assert.InRange(found.Inertia / 300, 0.2, 0.3);   // three coordinates of variance 1/12
    }

    [Fact]
    public void Given_any_points_When_fitted_Then_each_is_with_its_nearest_centre_and_each_centre_is_its_points_mean()
    {
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 4], Gen.Int[1, 12], Gen.Int[0, 99]).Sample((n, d, k, seed) =>
        {
            var random = new Random(seed);
            float[] values = [.. Enumerable.Range(0, n * d).Select(_ => (float)random.Next(4))];   // many points are equal
            var points = new EmbeddingMatrix(n, d, values);
            Clustering found = KMeans.Fit(points, k, (ulong)seed);
            int different = values.Chunk(d).Select(p => string.Join(',', p)).Distinct().Count();
            Assert.Equal(Math.Min(k, different), found.Centres.Length);
            double Distance(int i, int c) => Enumerable.Range(0, d).Sum(j => Math.Pow(points.Row(i)[j] - found.Centres[c][j], 2));
            double inertia = 0;
            for (int i = 0; i < n; i++)
            {
                double own = Distance(i, found.Of[i]);
                inertia += own;
                Assert.All(Enumerable.Range(0, found.Centres.Length), c => Assert.True(own <= Distance(i, c) + 1e-9));
            }

            Assert.Equal(inertia, found.Inertia, 1e-9);
            for (int c = 0; c < found.Centres.Length; c++)
            {
                int[] own = [.. Enumerable.Range(0, n).Where(i => found.Of[i] == c)];
                Assert.NotEmpty(own);
                Assert.All(Enumerable.Range(0, d), j => Assert.Equal(own.Average(i => (double)points.Row(i)[j]), found.Centres[c][j], 1e-9));
            }
        }, iter: 300);
    }

    [Fact]
    public void Given_one_seed_When_fitted_twice_Then_the_same_bits()
    {
        EmbeddingMatrix points = FrechetDistanceTests.Gaussian(200, 8, 1, _ => 1, _ => 0);
        Clustering a = KMeans.Fit(points, 9, 5), b = KMeans.Fit(points, 9, 5);
        Assert.Equal(a.Of, b.Of);
        Assert.Equal(a.Centres.SelectMany(c => c), b.Centres.SelectMany(c => c));
    }

    [Fact]
    public void Given_what_cannot_be_clustered_When_fitted_Then_refused()
    {
        Assert.Throws<ArgumentException>(() => KMeans.Fit(new EmbeddingMatrix(0, 3, []), 2, 1));
        Assert.Throws<ArgumentException>(() => KMeans.Fit(new EmbeddingMatrix(1, 2, [1, float.NaN]), 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => KMeans.Fit(new EmbeddingMatrix(1, 1, [1]), 0, 1));
        Assert.Throws<ArgumentException>(() => KMeans.Fit(new EmbeddingMatrix(1, 1, [1]), 1, 1).Assign(new EmbeddingMatrix(1, 2, [1, 2])));
    }
}
