using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Metrics;

/// <summary>
/// How alike two sets of texts are, as the area under their divergence frontier (MAUVE; Pillutla et al., arXiv:2102.01454):
/// 1 where they cannot be told apart, near 0 where they share nothing.
/// </summary>
/// <remarks>
/// <para>
/// As there: the embeddings of both sets are quantised together by k-means into a tenth as many cells as a set has texts, each
/// set is a histogram P or Q over the cells, and with R = w P + (1 - w) Q the frontier is the points
/// (exp(-c KL(Q|R)), exp(-c KL(P|R))), w from 0 to 1, c = 5 (section 3, eq. 1 and 2).
/// </para>
/// <para>
/// Not as there: embeddings are the run's own, not a large language model's, and are not first brought down by PCA; so
/// figures compare with those of Chorus runs with one encoder and not with published ones. Both sets are cut to one size, since
/// a smaller set looks further away.
/// </para>
/// </remarks>
public static class Mauve
{
    /// <summary>c: how fast likeness falls with divergence.</summary>
    public const double Scaling = 5;

    /// <summary>Texts of each set at most, which bounds the cost: k-means then has 4,000 points and 200 cells.</summary>
    public const int MostTexts = 2000;

    private const int TextsACell = 10;
    private const int FrontierPoints = 1000;
    private const ulong Seed = 1;   // the same cells for the same texts, whatever the run's seed

    /// <param name="a">[rows, d], at least 20 rows.</param>
    /// <param name="b">[rows, d], at least 20 rows.</param>
    /// <returns>In (0, 1].</returns>
    /// <exception cref="ArgumentException">Too few rows, a number that is not finite, or dimensions that differ.</exception>
    public static double Between(EmbeddingMatrix a, EmbeddingMatrix b)
    {
        FrechetDistance.RequireComparable(a, b, leastRows: 2 * TextsACell);
        int rows = Math.Min(MostTexts, Math.Min(a.Rows, b.Rows));
        float[] values = [.. Spread(a, rows), .. Spread(b, rows)];
        Clustering cells = KMeans.Fit(new EmbeddingMatrix(2 * rows, a.Dimension, values), rows / TextsACell, Seed);
        return Area(Histogram(cells, 0, rows), Histogram(cells, rows, rows));
    }

    /// <summary>The area under the divergence frontier of two distributions.</summary>
    /// <param name="p">Probabilities that add up to 1.</param>
    /// <param name="q">Probabilities over the same cells.</param>
    internal static double Area(double[] p, double[] q)
    {
        double area = 0;
        (double X, double Y) last = (1, Likeness(p, q, 0));   // R = Q
        for (int i = 1; i <= FrontierPoints; i++)
        {
            double w = (double)i / FrontierPoints;
            (double X, double Y) next = (Likeness(q, p, 1 - w), Likeness(p, q, w));
            area += (last.X - next.X) * (last.Y + next.Y) / 2;
            last = next;
        }

        return Math.Clamp(area + last.X, 0, 1);   // R = P: from there on the frontier goes straight to x = 0 at y = 1
    }

    // exp(-c KL(p | w p + (1 - w) q))
    private static double Likeness(double[] p, double[] q, double w)
    {
        double divergence = 0;
        for (int i = 0; i < p.Length; i++)
        {
            if (p[i] > 0)
                divergence += p[i] * Math.Log(p[i] / ((w * p[i]) + ((1 - w) * q[i])));
        }

        return Math.Exp(-Scaling * Math.Max(0, divergence));
    }

    /// <summary>So many rows, evenly over all: a set in the order of its clients would else be cut to the first few.</summary>
    private static IEnumerable<float> Spread(EmbeddingMatrix all, int rows) =>
        Enumerable.Range(0, rows).SelectMany(i => all.Row((int)((long)i * all.Rows / rows)).ToArray());

    private static double[] Histogram(Clustering cells, int first, int count)
    {
        var histogram = new double[cells.Centres.Length];
        for (int i = first; i < first + count; i++)
            histogram[cells.Of[i]] += 1.0 / count;
        return histogram;
    }
}
