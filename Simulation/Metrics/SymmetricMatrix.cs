using Chorus.Simulation.Aggregation;

namespace Chorus.Simulation.Metrics;

/// <summary>The few steps on symmetric matrices that metrics and directions need, small and of fixed order.</summary>
internal static class SymmetricMatrix
{
    /// <summary>Columns l_1 ... l_r with A = sum of l_i l_i^T, by Cholesky with full pivoting, up to rounding.</summary>
    /// <param name="a">Positive semidefinite [d, d].</param>
    /// <param name="share">Stop when no diagonal element of what is left exceeds this share of A's largest,</param>
    /// <param name="floor">or this.</param>
    /// <returns>
    /// Columns [r][d], r the numerical rank, and the pivots [r], distinct: l_i is zero, up to rounding, at pivots 0 ... i - 1.
    /// </returns>
    /// <remarks>Higham, Accuracy and Stability, 2nd ed., section 10.3.</remarks>
    public static (double[][] Columns, int[] Pivots) Factor(double[,] a, double share, double floor = 0)
    {
        int n = a.GetLength(0);
        var left = new double[n];   // diagonal of what is not yet factored
        for (int j = 0; j < n; j++)
            left[j] = a[j, j];
        double least = Math.Max(floor, (n == 0 ? 0 : left.Max()) * share);
        var columns = new List<double[]>();
        var pivots = new List<int>();
        while (columns.Count < n)
        {
            int pivot = Array.IndexOf(left, left.Max());
            if (!(left[pivot] > least))
                break;
            var column = new double[n];
            for (int j = 0; j < n; j++)
                column[j] = a[pivot, j];
            foreach (double[] done in columns)
            {
                double weight = done[pivot];
                for (int j = 0; j < n; j++)
                    column[j] -= weight * done[j];
            }

            double root = Math.Sqrt(left[pivot]);
            for (int j = 0; j < n; j++)
            {
                column[j] /= root;
                left[j] -= column[j] * column[j];
            }

            left[pivot] = double.NegativeInfinity;   // taken
            columns.Add(column);
            pivots.Add(pivot);
        }

        return ([.. columns], [.. pivots]);
    }

    /// <summary>L^T A L for the columns of L [r][d] and a symmetric A [d, d].</summary>
    /// <returns>Symmetric [r][r].</returns>
    public static double[][] Congruence(double[][] columns, double[,] a)
    {
        int n = a.GetLength(0);
        var rows = new double[n][];
        for (int j = 0; j < n; j++)
        {
            rows[j] = new double[n];
            for (int l = 0; l < n; l++)
                rows[j][l] = a[j, l];
        }

        var result = new double[columns.Length][];
        Parallel.For(0, columns.Length, i =>
        {
            var image = new double[n];
            for (int j = 0; j < n; j++)
                image[j] = FixedOrder.Dot(rows[j], columns[i]);
            result[i] = new double[columns.Length];
            for (int k = 0; k <= i; k++)
                result[i][k] = FixedOrder.Dot(columns[k], image);
        });
        for (int i = 0; i < columns.Length; i++)
        {
            for (int k = 0; k < i; k++)
                result[k][i] = result[i][k];
        }

        return result;
    }

    /// <summary>Solves A x = b by Cholesky.</summary>
    /// <param name="a">Positive definite [n][n]; only the lower triangle is read, and it is overwritten.</param>
    /// <param name="b">[n]; x takes its place.</param>
    public static void Solve(double[][] a, double[] b)
    {
        int n = b.Length;
        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k <= i; k++)
            {
                double rest = a[i][k] - FixedOrder.Dot(a[i].AsSpan(0, k), a[k].AsSpan(0, k));
                a[i][k] = i == k ? Math.Sqrt(rest) : rest / a[k][k];
            }
        }

        for (int i = 0; i < n; i++)
            b[i] = (b[i] - FixedOrder.Dot(a[i].AsSpan(0, i), b.AsSpan(0, i))) / a[i][i];
        for (int i = n - 1; i >= 0; i--)
        {
            for (int k = i + 1; k < n; k++)
                b[i] -= a[k][i] * b[k];
            b[i] /= a[i][i];
        }
    }

    /// <summary>The eigenvalues of a symmetric matrix in rising order, each to about 10^-15 of the largest.</summary>
    /// <param name="a">[n][n]; only the lower triangle is read, and it is overwritten.</param>
    public static double[] Eigenvalues(double[][] a)
    {
        (double[] diagonal, double[] below) = Tridiagonal(a);
        double[] belowSquared = [.. below.Select(x => x * x)];
        // Every eigenvalue lies in one of Gershgorin's intervals.
        double low = 0, high = 0;
        for (int i = 0; i < diagonal.Length; i++)
        {
            double radius = Math.Abs(below[i]) + (i == 0 ? 0 : Math.Abs(below[i - 1]));
            low = Math.Min(low, diagonal[i] - radius);
            high = Math.Max(high, diagonal[i] + radius);
        }

        double precision = 1e-16 * Math.Max(-low, high);
        var eigenvalues = new double[diagonal.Length];
        Parallel.For(0, eigenvalues.Length, i => eigenvalues[i] = Bisect(diagonal, belowSquared, i, low, high, precision));
        return eigenvalues;
    }

    // Householder reflections I - 2 v v^T / |v|^2 clear the columns one by one, from the first (Golub and Van Loan, Matrix
    // Computations, 4th ed., Algorithm 8.3.1). below[i] stands under diagonal[i].
    private static (double[] Diagonal, double[] Below) Tridiagonal(double[][] a)
    {
        int n = a.Length;
        var diagonal = new double[n];
        var below = new double[n];
        var v = new double[n];
        var w = new double[n];
        for (int k = 0; k < n; k++)
        {
            diagonal[k] = a[k][k];
            if (k == n - 1)
                break;
            double scale = 0;
            for (int i = k + 1; i < n; i++)
                scale = Math.Max(scale, Math.Abs(a[i][k]));
            if (scale == 0)
                continue;
            double square = 0;
            for (int i = k + 1; i < n; i++)
            {
                v[i] = a[i][k] / scale;
                square += v[i] * v[i];
            }

            double norm = Math.CopySign(Math.Sqrt(square), v[k + 1]);
            below[k] = -norm * scale;
            double beta = 1 / (square + (norm * v[k + 1]));   // 2 / |v|^2 once v[k + 1] has grown by norm
            v[k + 1] += norm;

            // w = beta A v, from the lower triangle alone; then A -= v w^T + w v^T with w less its part along v.
            Array.Clear(w, k + 1, n - k - 1);
            for (int i = k + 1; i < n; i++)
            {
                ReadOnlySpan<double> row = a[i];
                double sum = 0;
                double vi = v[i];
                for (int j = k + 1; j < i; j++)
                {
                    sum += row[j] * v[j];
                    w[j] += row[j] * vi;
                }

                w[i] += sum + (row[i] * vi);
            }

            double along = 0;
            for (int i = k + 1; i < n; i++)
            {
                w[i] *= beta;
                along += w[i] * v[i];
            }

            for (int i = k + 1; i < n; i++)
                w[i] -= beta / 2 * along * v[i];
            for (int i = k + 1; i < n; i++)
            {
                Span<double> row = a[i];
                for (int j = k + 1; j <= i; j++)
                    row[j] -= (v[i] * w[j]) + (w[i] * v[j]);
            }
        }

        return (diagonal, below);
    }

    // The i-th smallest eigenvalue by bisection: the number of negative pivots of T - x I is the number of eigenvalues below
    // x (Sturm; Golub and Van Loan, section 8.4.1). Each is found alone, in steps that always end.
    private static double Bisect(double[] diagonal, double[] belowSquared, int i, double low, double high, double precision)
    {
        const double smallestPivot = 1e-300;
        while (true)
        {
            double middle = low + ((high - low) / 2);
            if (high - low <= precision || middle <= low || middle >= high)
                return middle;
            int negative = 0;
            double pivot = 1;
            for (int k = 0; k < diagonal.Length; k++)
            {
                pivot = diagonal[k] - middle - (k == 0 ? 0 : belowSquared[k - 1] / pivot);
                if (Math.Abs(pivot) < smallestPivot)
                    pivot = -smallestPivot;   // else the next quotient would be infinite
                if (pivot < 0)
                    negative++;
            }

            if (negative > i)
                high = middle;
            else
                low = middle;
        }
    }
}
