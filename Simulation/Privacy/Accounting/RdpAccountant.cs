namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>
/// Epsilon by Renyi differential privacy: divergences of every order add up over releases. Looser than
/// <see cref="PldAccountant"/>, and the figure that most other systems give.
/// </summary>
/// <remarks>
/// The divergence of order a is ln E_P[(p / q)^(a - 1)] / (a - 1), here by quadrature, so that orders are any real numbers
/// above 1. Conversion: epsilon = R(a) + ln((a - 1) / a) - (ln delta + ln a) / (a - 1) (Canonne, Kamath, Steinke,
/// arXiv:2004.00030, Proposition 12; Balle et al., arXiv:1905.09982), least over the orders.
/// </remarks>
public static class RdpAccountant
{
    // Orders a - 1 from 10^-3 up to where the farthest component lies this many deviations out.
    private const double FarthestComponent = 1000;
    private const double SmallestOrder = 1e-3;
    private const double Step = 1.25;
    private const double Reach = 9;

    // The search goes on to orders this many times the best one so far.
    private const double Patience = 100;
    private const double OrderPrecision = 1e-4;

    /// <summary>An epsilon for which the releases are (epsilon, delta)-private, and the order that shows it.</summary>
    /// <param name="events">The releases, in any order; none cost nothing.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">delta is out of range.</exception>
    public static (double Epsilon, double Order) Epsilon(IEnumerable<PrivacyEvent> events, Adjacency adjacency, double delta)
    {
        ArgumentNullException.ThrowIfNull(events);
        GaussianAccountant.RequireDelta(delta);
        (double Epsilon, double Order) worst = (0, double.PositiveInfinity);
        foreach (IReadOnlyList<LossPart> order in WorstCase.Of(events, adjacency).Where(o => o.Count > 0))
        {
            (double Epsilon, double Order) one = Best(order, delta);
            worst = one.Epsilon >= worst.Epsilon ? one : worst;
        }

        return worst;
    }

    private static (double Epsilon, double Order) Best(IReadOnlyList<LossPart> parts, double delta)
    {
        double largest = Math.Max(1, Math.Min(1e7, FarthestComponent / parts.Max(p => p.Pair.Reach)));
        var moments = new Dictionary<double, LossMoments[]>();

        double At(double t)
        {
            // Nodes as far out as the order needs, made anew each time that doubles.
            double bound = Math.Pow(2, Math.Ceiling(Math.Log2(t)));
            if (!moments.TryGetValue(bound, out LossMoments[]? made))
            {
                made = [.. parts.Select(p => Moments(p, bound))];
                moments.Add(bound, made);
            }

            double divergence = 0;
            for (int i = 0; i < parts.Count; i++)
                divergence += parts[i].Count * Math.Max(0, made[i].LogMgf(t)) / t;
            double a = t + 1;
            return divergence + Math.Log(t / a) - ((Math.Log(delta) + Math.Log(a)) / t);
        }

        var (best, least) = (SmallestOrder, double.PositiveInfinity);
        for (double t = SmallestOrder; t <= largest && t <= best * Patience; t *= Step)
        {
            double epsilon = At(t);
            if (epsilon < least)
                (best, least) = (t, epsilon);
        }

        double low = best / Step, high = best * Step;
        while (high - low > OrderPrecision * low)
        {
            double third = (high - low) / 3;
            if (At(low + third) <= At(high - third))
                high -= third;
            else
                low += third;
        }

        double middle = (low + high) / 2;
        double refined = At(middle);
        return (Math.Max(0, Math.Min(refined, least)), (refined < least ? middle : best) + 1);
    }

    // For t above 0 what counts lies where the loss is large: on the right, or read in reverse on the left.
    private static LossMoments Moments(LossPart part, double t)
    {
        double reach = part.Pair.Reach, near = reach + Reach, far = (reach * ((2 * t) + 2)) + Reach;
        return part.Reading == Reading.Reversed
            ? new LossMoments(part.Pair, part.Reading, -far, near, panelsPerUnit: 1)
            : new LossMoments(part.Pair, part.Reading, -near, far, panelsPerUnit: 1);
    }
}
