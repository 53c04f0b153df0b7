using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Metrics;

/// <summary>Points in clusters.</summary>
/// <param name="Centres">The means [clusters][d].</param>
/// <param name="Of">For each point, its cluster.</param>
/// <param name="Inertia">Sum of squared distances to the centres.</param>
public sealed record Clustering(double[][] Centres, int[] Of, double Inertia)
{
    /// <summary>The cluster whose centre is nearest to each row; the first of equals.</summary>
    public int[] Assign(EmbeddingMatrix rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Dimension != Centres[0].Length)
            throw new ArgumentException($"rows must have the centres' dimension {Centres[0].Length}, got {rows.Dimension}");
        return KMeans.Nearest(rows, Centres).Of;
    }
}

/// <summary>Lloyd's algorithm from a k-means++ start (Arthur and Vassilvitskii 2007); the same bits for any number of threads.</summary>
public static class KMeans
{
    private const int MostIterations = 100;

    /// <param name="points">[n, d], at least one row, finite.</param>
    /// <param name="clusters">k, at least 1. Fewer come back where fewer points differ.</param>
    /// <param name="seed">Decides where it starts.</param>
    /// <exception cref="ArgumentException">No points, or one that is not finite.</exception>
    public static Clustering Fit(EmbeddingMatrix points, int clusters, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(clusters);
        if (points.Rows == 0)
            throw new ArgumentException("points must have at least one row, got none", nameof(points));
        foreach (float value in points.Values.Span)
        {
            if (!float.IsFinite(value))
                throw new ArgumentException($"points must be finite, got {value}", nameof(points));
        }

        double[][] centres = Start(points, clusters, new RandomBits(new SeededRandomSource(seed, "k-means")));
        (int[] of, double[] distance) = Nearest(points, centres);
        for (int iteration = 0; iteration < MostIterations; iteration++)
        {
            centres = Means(points, of, distance, centres.Length);
            (int[] next, distance) = Nearest(points, centres);
            bool settled = next.AsSpan().SequenceEqual(of);
            of = next;
            if (settled)
                break;
        }

        return new Clustering(centres, of, FixedOrder.Sum(distance));
    }

    /// <summary>For each row its nearest centre, and the squared distance to it.</summary>
    internal static (int[] Of, double[] Distance) Nearest(EmbeddingMatrix rows, double[][] centres)
    {
        // |x - c|^2 = |x|^2 + |c|^2 - 2 x . c, of which |x|^2 does not choose.
        double[] squares = [.. centres.Select(c => FixedOrder.Dot(c, c))];
        var of = new int[rows.Rows];
        var distance = new double[rows.Rows];
        Parallel.For(0, rows.Rows, i =>
        {
            ReadOnlySpan<float> row = rows.Row(i);
            double least = double.PositiveInfinity;
            for (int k = 0; k < centres.Length; k++)
            {
                double at = squares[k] - (2 * FixedOrder.Dot(row, centres[k]));
                if (at < least)
                    (least, of[i]) = (at, k);
            }

            distance[i] = Math.Max(0, least + FixedOrder.SumOfSquares(row));
        });
        return (of, distance);
    }

    // Each next centre is a point drawn with probability proportional to its squared distance from the centres before.
    private static double[][] Start(EmbeddingMatrix points, int clusters, RandomBits random)
    {
        List<double[]> centres = [Point(points, (int)random.Below((ulong)points.Rows))];
        var nearest = new double[points.Rows];
        Array.Fill(nearest, double.PositiveInfinity);
        while (true)
        {
            double[] newest = centres[^1];
            Parallel.For(0, points.Rows, i => nearest[i] = Math.Min(nearest[i], Squared(points.Row(i), newest)));
            double total = FixedOrder.Sum(nearest);
            if (centres.Count == clusters || !(total > 0))
                return [.. centres];
            double at = (random.NextUInt64() >> 11) * (1.0 / (1UL << 53)) * total;
            int chosen = Array.FindLastIndex(nearest, d => d > 0);   // where rounding leaves some of the total over
            for (int i = 0; i < nearest.Length; i++)
            {
                at -= nearest[i];
                if (at < 0)
                {
                    chosen = i;
                    break;
                }
            }

            centres.Add(Point(points, chosen));
        }
    }

    private static double[][] Means(EmbeddingMatrix points, int[] of, double[] distance, int clusters)
    {
        var means = new double[clusters][];
        for (int k = 0; k < clusters; k++)
            means[k] = new double[points.Dimension];
        var counts = new int[clusters];
        for (int i = 0; i < of.Length; i++)
        {
            counts[of[i]]++;
            double[] mean = means[of[i]];
            ReadOnlySpan<float> row = points.Row(i);
            for (int j = 0; j < mean.Length; j++)
                mean[j] += row[j];
        }

        double[]? left = null;
        for (int k = 0; k < clusters; k++)
        {
            if (counts[k] == 0)
            {
                // An empty cluster moves to the point that is worst served; a second one to the next.
                left ??= (double[])distance.Clone();
                int worst = Array.IndexOf(left, left.Max());
                left[worst] = 0;
                means[k] = Point(points, worst);
                continue;
            }

            for (int j = 0; j < means[k].Length; j++)
                means[k][j] /= counts[k];
        }

        return means;
    }

    private static double[] Point(EmbeddingMatrix points, int i)
    {
        var point = new double[points.Dimension];
        for (int j = 0; j < point.Length; j++)
            point[j] = points.Row(i)[j];
        return point;
    }

    private static double Squared(ReadOnlySpan<float> a, double[] b)
    {
        double sum = 0;
        for (int j = 0; j < b.Length; j++)
            sum += (a[j] - b[j]) * (a[j] - b[j]);
        return sum;
    }
}
