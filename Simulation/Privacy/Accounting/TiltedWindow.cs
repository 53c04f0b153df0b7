namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>Where the sum of losses lies once it is tilted towards the epsilon sought.</summary>
/// <param name="T">The tilt: mass is multiplied by e^(T loss).</param>
/// <param name="Epsilon">About what is sought.</param>
/// <param name="Bottom">The tilted sum hardly ever lies below this.</param>
/// <param name="Top">The tilted sum hardly ever lies above this.</param>
/// <param name="TBelow">The exponent that shows it for the bottom.</param>
/// <param name="TAbove">The exponent that shows it for the top.</param>
internal sealed record TiltedWindow(double T, double Epsilon, double Bottom, double Top, double TBelow, double TAbove)
{
    public double Width => Top - Bottom;

    // ln of what lies outside beside delta, and of how large the tilted masses may be beside delta.
    private const double LogOutside = 18;
    private const double LargestSlack = 15;
    private const double ChernoffExcess = 5;
    private const double Step = 1.2;
    private const int Steps = 76;

    // A tilt times the grid's width: at most this for the transform; twice the largest tilt for the bounds.
    private const double LargestStep = 0.1;
    private const double LargestBoundingTilt = 2;

    /// <param name="parts">The moments of each kind of release, and how many there are.</param>
    /// <param name="range">The sum lies in here for certain, but for what is counted as infinite.</param>
    /// <param name="largestTilt">The moments hold, and a grid bears, no larger one.</param>
    /// <param name="tilted">Whether a tilt may be taken; without one the window holds all of the sum, for an epsilon that may be 0.</param>
    /// <param name="points">Points of the grid over the window: the tilted mass must not change much between two.</param>
    public static TiltedWindow Of(
        IReadOnlyList<(LossMoments Moments, int Count)> parts, (double From, double To) range, double delta, double largestTilt, bool tilted, int points)
    {
        double deviation = Math.Sqrt(parts.Sum(p => p.Count * Math.Pow(p.Moments.StdDev(), 2)));
        double[] magnitudes = [.. Enumerable.Range(0, Steps).Select(i => 1e-2 * Math.Pow(Step, i) / deviation).Where((t, i) => i < 2 || t <= LargestBoundingTilt * largestTilt)];
        double[] ts = [.. magnitudes.Reverse().Select(t => -t), 0, .. magnitudes];
        double[] ks = [.. ts.Select(t => t == 0 ? 0 : parts.Sum(p => p.Count * p.Moments.LogMgf(t)))];

        // Chernoff's epsilon is too large by a few over its tilt; heavy tails, by more.
        int zero = magnitudes.Length, chernoff = Enumerable.Range(zero + 1, magnitudes.Length).MinBy(i => (ks[i] - Math.Log(delta)) / ts[i]);
        double epsilon = (ks[chernoff] - Math.Log(delta) - ChernoffExcess) / ts[chernoff];
        TiltedWindow? best = null;
        for (int i = zero; i < ts.Length - 1 && ts[i] <= (tilted ? largestTilt : 0); i++)
        {
            // How much larger than delta the tilted masses' errors may come out.
            double slack = Math.Max(0, ks[i] - Math.Log(delta) - (ts[i] * epsilon));
            if (i > zero && slack > LargestSlack)
                continue;
            TiltedWindow window = At(i, -LogOutside - slack);
            if (best is null || window.Width < best.Width)
                best = ts[i] * window.Width <= LargestStep * points ? window : best;
        }

        return best!;

        TiltedWindow At(int tilt, double logOutside)
        {
            double top = double.PositiveInfinity, bottom = double.NegativeInfinity, above = 0, below = 0;
            for (int i = 0; i < ts.Length; i++)
            {
                if (i == tilt)
                    continue;
                double bound = (ks[i] - ks[tilt] - logOutside) / (ts[i] - ts[tilt]);
                if (i > tilt && bound < top)
                    (top, above) = (bound, ts[i]);
                if (i < tilt && bound > bottom)
                    (bottom, below) = (bound, ts[i]);
            }

            // On the grid each loss may lie up to two points outside of its range.
            double grid = 2 * parts.Sum(p => p.Count) * (Math.Min(top, range.To) - Math.Max(bottom, range.From)) / points;
            return new TiltedWindow(ts[tilt], Math.Max(0, epsilon), Math.Max(bottom, range.From - grid), Math.Min(top, range.To + grid), below, above);
        }
    }
}
