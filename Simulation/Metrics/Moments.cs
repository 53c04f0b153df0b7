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
        double[,] covariance = Scatter(rows.Rows, rows.Dimension, (i, centred) =>
        {
            ReadOnlySpan<float> row = rows.Row(i);
            for (int j = 0; j < centred.Length; j++)
                centred[j] = row[j] - mean[j];
        });
        for (int j = 0; j < rows.Dimension; j++)
        {
            for (int l = 0; l < rows.Dimension; l++)
                covariance[j, l] /= rows.Rows - 1;
        }

        return covariance;
    }

    /// <summary>The sum over rows x of x x^T [d, d]; symmetric to the bit.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="dimension">d.</param>
    /// <param name="fill">Writes row i into an array of d numbers; called in order, on one thread.</param>
    public static double[,] Scatter(int rows, int dimension, Action<int, double[]> fill)
    {
        var scatter = new double[dimension, dimension];
        var row = new double[dimension];
        var columns = new double[dimension][];   // transposed, a piece of the rows at a time
        for (int j = 0; j < dimension; j++)
            columns[j] = new double[Math.Min(RowsAPiece, rows)];

        for (int first = 0; first < rows; first += RowsAPiece)
        {
            int count = Math.Min(RowsAPiece, rows - first);
            for (int i = 0; i < count; i++)
            {
                fill(first + i, row);
                for (int j = 0; j < dimension; j++)
                    columns[j][i] = row[j];
            }

            // Each entry is summed by one thread, rows in their order.
            Parallel.For(0, dimension, j =>
            {
                for (int l = 0; l <= j; l++)
                    scatter[j, l] += FixedOrder.Dot(columns[j].AsSpan(0, count), columns[l].AsSpan(0, count));
            });
        }

        for (int j = 0; j < dimension; j++)
        {
            for (int l = 0; l < j; l++)
                scatter[l, j] = scatter[j, l];
        }

        return scatter;
    }
}
