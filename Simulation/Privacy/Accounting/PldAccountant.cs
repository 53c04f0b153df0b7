using System.Numerics;

namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>
/// Epsilon by composing privacy loss distributions: tight for any mix of Gaussian releases, sampled or not.
/// </summary>
/// <remarks>
/// Both bounds are proven, up to floating-point rounding for which a margin is added (<see cref="LossGrid"/>,
/// <see cref="Composition"/>). The grid is made finer until they agree to four thousandths, or to the finest there is.
/// </remarks>
public static class PldAccountant
{
    private const int SmallestWindow = 1 << 15;
    private const int CoarseWindow = 1 << 14;
    private const int LargestWindow = 1 << 18;
    private const double CellsPerPoint = 1.5;
    private const double LargestStep = 0.1;
    private const int Margin = 64;
    private const double Agreement = 4e-3;

    // Of the upper bound's error, k steps on n points give some 50 k / n^2 of epsilon.
    private const double PointsPerRootStep = 1200;

    /// <summary>The smallest epsilon for which the releases are (epsilon, delta)-private: bounds on both sides.</summary>
    /// <param name="events">The releases, in any order; none cost nothing.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">delta is out of range.</exception>
    public static EpsilonBounds Epsilon(IEnumerable<PrivacyEvent> events, Adjacency adjacency, double delta)
    {
        ArgumentNullException.ThrowIfNull(events);
        GaussianAccountant.RequireDelta(delta);
        PrivacyEvent[] all = [.. events];
        IReadOnlyList<IReadOnlyList<LossPart>> orders = WorstCase.Of(all, adjacency);
        if (orders.All(o => o.Count == 0))
            return default;
        bool unamplified = all.Any(WorstCase.IsUnamplified);
        int largest = unamplified ? WindowFor(orders[0]) : LargestWindow;
        EpsilonBounds bounds = Worst(orders, delta, order => Refined(order, delta, largest));
        return unamplified ? bounds with { Lower = 0 } : bounds;
    }

    /// <summary>An upper bound from one grid, for a search: coarse, within about a thousandth, or not, within 10^-4.</summary>
    internal static double Once(IEnumerable<PrivacyEvent> events, Adjacency adjacency, double delta, bool coarse)
    {
        IReadOnlyList<IReadOnlyList<LossPart>> orders = WorstCase.Of(events, adjacency);
        return coarse
            ? orders.Max(order => Compose(order, delta, CoarseWindowFor(order)).Upper)
            : Worst(orders, delta, order => Compose(order, delta, WindowFor(order))).Upper;
    }

    /// <summary>The worse order of the neighbours. One that a coarse grid shows to be the better one is not looked at again.</summary>
    private static EpsilonBounds Worst(IReadOnlyList<IReadOnlyList<LossPart>> orders, double delta, Func<IReadOnlyList<LossPart>, EpsilonBounds> refine)
    {
        if (orders.Count == 1)
            return refine(orders[0]);
        EpsilonBounds worst = default;
        foreach (var (order, coarse) in orders.Select(o => (o, Compose(o, delta, CoarseWindowFor(o)))).OrderByDescending(o => o.Item2.Upper))
        {
            EpsilonBounds one = coarse.Upper <= worst.Lower ? coarse : refine(order);
            worst = new EpsilonBounds(Math.Max(worst.Lower, one.Lower), Math.Max(worst.Upper, one.Upper));
        }

        return worst;
    }

    private static EpsilonBounds Refined(IReadOnlyList<LossPart> order, double delta, int largest)
    {
        int window = WindowFor(order);
        while (true)
        {
            EpsilonBounds bounds = Compose(order, delta, window);
            if (window >= largest || bounds.Upper - bounds.Lower <= Agreement * bounds.Upper)
                return bounds;
            window *= 2;
        }
    }

    private static int CoarseWindowFor(IReadOnlyList<LossPart> order) => Math.Min(WindowFor(order), CoarseWindow);

    private static int WindowFor(IReadOnlyList<LossPart> order) => (int)Math.Clamp(
        BitOperations.RoundUpToPowerOf2((uint)Math.Min(1e9, PointsPerRootStep * Math.Sqrt(order.Sum(p => (double)p.Count)))), SmallestWindow, LargestWindow);

    private static EpsilonBounds Compose(IReadOnlyList<LossPart> order, double delta, int window)
    {
        EpsilonBounds bounds = Compose(order, delta, window, tilted: true);
        // The epsilon lies below what the tilt was made for: delta covers almost all.
        return double.IsNaN(bounds.Upper) ? Compose(order, delta, window, tilted: false) : bounds;
    }

    private static EpsilonBounds Compose(IReadOnlyList<LossPart> order, double delta, int window, bool tilted)
    {
        // Losses past this many deviations are infinite for the upper bound: together far less than delta.
        double reach = Math.Sqrt(2 * (Math.Log(order.Sum(p => (double)p.Count)) - Math.Log(delta) + 23));
        var moments = order.Select(part => (new LossMoments(part.Pair, part.Reading, -part.Pair.Reach - reach, part.Pair.Reach + reach, panelsPerUnit: 2), part.Count)).ToArray();
        var ranges = order.Select(part => part.Range(reach)).ToArray();
        // One release may spread wider than their tilted sum: its cells are to stay few.
        double narrowest = ranges.Max(r => r.To - r.From) / (CellsPerPoint * window);
        double tiltBorne = Math.Min(LargestStep / narrowest, LossMoments.SteepestExponent / order.Max(part => part.Slope(reach)));
        (double, double) range = (order.Zip(ranges, (o, r) => o.Count * r.From).Sum(), order.Zip(ranges, (o, r) => o.Count * r.To).Sum());
        TiltedWindow tilt = TiltedWindow.Of(moments, range, delta, tiltBorne, tilted, window);
        double h = Math.Max(narrowest, (tilt.Top - tilt.Bottom) / (window - Margin));
        var grids = order.Select(part =>
        {
            LossCells cells = LossCells.Of(part.Pair, part.Reading, h / 2, -part.Pair.Reach - reach, part.Pair.Reach + reach);
            return (LossGrid.AtLeast(cells, h), LossGrid.AtMost(cells, h));
        }).ToArray();
        return Composition.Epsilon(order, grids, tilt, h, window, delta);
    }
}
