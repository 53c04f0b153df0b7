using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Metrics;

/// <summary>Mean and covariance of the rows of a matrix, in double, with the same bits for any number of threads.</summary>
internal static class Moments
{
    private const int RowsAPiece = 4096;

    /// <summary>The mean of the rows [d].</summary>
    /// <exception cref="ArgumentException">A number is not finite.</exception>
    public static double[] Mean(EmbeddingMatrix rows)
    {
        var mean = new double[rows.Dimension];
        for (int i = 0; i < rows.Rows; i++)
        {
            ReadOnlySpan<float> row = rows.Row(i);
            for (int j = 0; j < mean.Length; j++)
                mean[j] += row[j];
        }

        for (int j = 0; j < mean.Length; j++)
        {
            mean[j] /= rows.Rows;
            if (!double.IsFinite(mean[j]))
                throw new ArgumentException($"embeddings must be finite, column {j} is not");
        }

        return mean;
    }

    /// <summary>The covariance [d, d] of at least two rows, divided by rows - 1.</summary>
    public static double[,] Covariance(EmbeddingMatrix rows, double[] mean)
    {
        int dimension = rows.Dimension;
        var covariance = new double[dimension, dimension];
        var columns = new double[dimension][];   // centred and transposed, a piece of the rows at a time
        for (int j = 0; j < dimension; j++)
            columns[j] = new double[Math.Min(RowsAPiece, rows.Rows)];

        for (int first = 0; first < rows.Rows; first += RowsAPiece)
        {
            int count = Math.Min(RowsAPiece, rows.Rows - first);
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<float> row = rows.Row(first + i);
                for (int j = 0; j < dimension; j++)
                    columns[j][i] = row[j] - mean[j];
            }

            // Each entry is summed by one thread, rows in their order.
            Parallel.For(0, dimension, j =>
            {
                for (int l = 0; l <= j; l++)
                    covariance[j, l] += FixedOrder.Dot(columns[j].AsSpan(0, count), columns[l].AsSpan(0, count));
            });
        }

        for (int j = 0; j < dimension; j++)
        {
            for (int l = 0; l <= j; l++)
            {
                covariance[j, l] /= rows.Rows - 1;
                covariance[l, j] = covariance[j, l];
            }
        }

        return covariance;
    }
}
