namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>
/// A distribution of the privacy loss on a grid: Mass[i] at (First + i) h + Offset, and at infinity what is in Above.
/// </summary>
internal sealed record LossGrid(int First, double[] Mass, double Offset, double Above)
{
    // Each mass is good to some 10^-14 of itself.
    private const double MassError = 2e-14;

    /// <summary>Grid losses that cost at least what the cells' do.</summary>
    /// <remarks>
    /// "Connect the dots" (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, arXiv:2207.04380): a cell's masses p and q are
    /// divided between the grid points at its ends, h apart, so that both stay what they are. Each loss of the cell is a
    /// mixture of its ends, so the cells are a post-processing of the grid, which can only be easier to tell apart.
    /// Rounding errors are met by moving that much up.
    /// </remarks>
    /// <param name="h">Grid width: two cells.</param>
    public static LossGrid AtLeast(LossCells cells, double h)
    {
        int first = FloorHalf(cells.First);
        int last = FloorHalf(cells.First + cells.P.Length - 1);
        var mass = new double[last - first + 2];
        double fraction = -Stable.Expm1(-h);
        for (int i = 0; i < cells.P.Length;)
        {
            int point = FloorHalf(cells.First + i);
            double p = 0, q = 0;
            for (; i < cells.P.Length && FloorHalf(cells.First + i) == point; i++)
                (p, q) = (p + cells.P[i], q + cells.Q[i]);
            double up = ((p - (q * Math.Exp(point * h))) / fraction) + (p * MassError / h);
            up = double.IsNaN(up) ? p : Math.Clamp(up, 0, p);
            mass[point - first] += p - up;
            mass[point - first + 1] += up;
        }

        mass[1] += cells.PBelow;
        if (cells.AtZero > 0)
            mass[-first] += cells.AtZero;
        return new LossGrid(first, mass, 0, cells.PAbove);
    }

    /// <summary>Grid losses that cost at most what the cells' do.</summary>
    /// <remarks>
    /// A grid point stands for the two cells beside it. Told only that the loss lies in there, one sees a likelihood
    /// ratio ln(p / q), which for narrow cells is the grid point plus something of the order of h^2; all of them are then
    /// lowered to the grid point plus one common offset, or to the next point down where that is not low enough. Both
    /// steps, merging outcomes and lowering losses, can only lower what the release costs.
    /// </remarks>
    public static LossGrid AtMost(LossCells cells, double h)
    {
        int first = FloorHalf(cells.First + 1);
        int last = FloorHalf(cells.First + cells.P.Length);
        int count = last - first + 1;
        var (merged, excess) = (new double[count], new double[count]);
        var other = new double[count];
        for (int i = 0; i < cells.P.Length; i++)
        {
            int point = FloorHalf(cells.First + i + 1) - first;
            merged[point] += cells.P[i];
            other[point] += cells.Q[i];
        }

        for (int i = 0; i < count; i++)
            excess[i] = merged[i] > 0 && other[i] > 0 ? Math.Log(merged[i] / other[i]) - ((first + i) * h) - MassError : 0;
        double offset = BestOffset(merged, excess, h);
        var mass = new double[count + 1];
        for (int i = 0; i < count; i++)
        {
            // Cut cells at the ends may lie more than one point lower: those are dropped.
            int down = excess[i] >= offset ? 0 : excess[i] >= offset - h ? 1 : -1;
            if (down >= 0 && i + 1 - down >= 0)
                mass[i + 1 - down] += merged[i];
        }

        int zero = 1 - first;
        if (cells.AtZero > 0 && zero < mass.Length)
            mass[zero] += cells.AtZero;
        return new LossGrid(first - 1, mass, offset, 0);
    }

    /// <summary>ln of the sum of mass e^(t loss), the mass at infinity left out.</summary>
    public double LogMgf(double t, double h)
    {
        double largest = double.NegativeInfinity;
        for (int i = 0; i < Mass.Length; i++)
        {
            if (Mass[i] > 0)
                largest = Math.Max(largest, Math.Log(Mass[i]) + (t * Loss(i, h)));
        }

        double sum = 0;
        for (int i = 0; i < Mass.Length; i++)
            sum += Mass[i] * Math.Exp((t * Loss(i, h)) - largest);
        return largest + Math.Log(sum);
    }

    private double Loss(int i, double h) => ((First + i) * h) + Offset;

    // A lower offset loses on every mass, a higher one drops more of them by h.
    private static double BestOffset(double[] mass, double[] excess, double h)
    {
        double best = -h / 2, least = double.PositiveInfinity;
        for (double candidate = -h / 2; candidate < -1e-18; candidate /= 2)
        {
            double lost = 0;
            for (int i = 0; i < mass.Length; i++)
                lost += mass[i] * (excess[i] - candidate + (excess[i] >= candidate ? 0 : h));
            if (lost < least)
                (best, least) = (candidate, lost);
        }

        return best;
    }

    private static int FloorHalf(int i) => i >> 1;
}
