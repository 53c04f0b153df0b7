namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>The least noise that keeps a number of further releases within a budget.</summary>
public static class NoiseSearch
{
    // The result's epsilon lies this close below the target, relatively; sought a little below it.
    private const double Closeness = 5e-4;
    private const double Aim = 2e-4;
    private const double GridsApart = 1e-4;
    private const double CoarsePrecision = 1e-3;
    private const int MostRefinements = 12;

    /// <summary>Noise for rounds of one kind, on top of what is spent already. Never overshoots; within 0.1% of the least.</summary>
    /// <param name="epsilon">The target, above 0.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <param name="rounds">Releases to come, at least 1.</param>
    /// <param name="sampling">How their records are chosen.</param>
    /// <param name="spent">Releases made before.</param>
    /// <returns>Noise standard deviation over sensitivity: <see cref="PrivacyAccountant.Epsilon(IEnumerable{PrivacyEvent}, Adjacency, double)"/> of all is at most epsilon.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range, or no noise up to 2^28 is enough.</exception>
    public static double NoiseMultiplier(
        double epsilon, double delta, int rounds, Sampling sampling, Adjacency adjacency, IReadOnlyCollection<PrivacyEvent>? spent = null)
    {
        ArgumentNullException.ThrowIfNull(sampling);
        if (!(epsilon > 0) || double.IsInfinity(epsilon))
            throw new ArgumentOutOfRangeException(nameof(epsilon), $"epsilon must be finite and above 0, got {epsilon:R}: typical values lie between 0.5 and 10");
        GaussianAccountant.RequireDelta(delta);
        if (rounds < 1)
            throw new ArgumentOutOfRangeException(nameof(rounds), $"rounds must be at least 1, got {rounds}");
        IReadOnlyCollection<PrivacyEvent> before = spent ?? [];
        IEnumerable<PrivacyEvent> With(double noise) => [.. before, new PrivacyEvent(Mechanism.Gaussian, noise, sampling, rounds)];

        double? noise = PrivacyAccountant.Exact(With(1), adjacency, delta) is not null
            ? Exactly(epsilon, delta, rounds, adjacency, before, With)
            : Sampled(epsilon, delta, adjacency, With);
        if (noise is { } found)
            return found;
        double already = PrivacyAccountant.Epsilon(before, adjacency, delta);
        string paid = already > 0 ? FormattableString.Invariant($" ({already:g6} is spent already)") : "";
        throw new ArgumentOutOfRangeException(nameof(epsilon), FormattableString.Invariant(
            $"epsilon {epsilon:g} at delta {delta:g} over {rounds} rounds is reached by no noise multiplier up to 2^28{paid}: raise epsilon or delta, or run fewer rounds"));
    }

    // Squares of mu add up: what the target leaves is divided among the rounds.
    private static double? Exactly(
        double epsilon, double delta, int rounds, Adjacency adjacency, IReadOnlyCollection<PrivacyEvent> before, Func<double, IEnumerable<PrivacyEvent>> with)
    {
        double distance = adjacency == Adjacency.ReplaceOne ? 2 : 1;
        if (!(PrivacyAccountant.Epsilon(with(GaussianAccountant.LargestNoiseMultiplier), adjacency, delta) <= epsilon))
            return null;
        if (before.Count == 0)
            return Math.Min(GaussianAccountant.LargestNoiseMultiplier, distance * GaussianAccountant.NoiseMultiplier(epsilon, rounds, delta));
        double square = Math.Pow(1 / GaussianAccountant.NoiseMultiplier(epsilon, 1, delta), 2) - before.Sum(e => e.Count * Math.Pow(distance / e.NoiseMultiplier, 2));
        double noise = square > 0 ? Math.Max(distance * Math.Sqrt(rounds / square), GaussianAccountant.SmallestNoiseMultiplier) : GaussianAccountant.LargestNoiseMultiplier;
        for (double step = 1e-12; noise < GaussianAccountant.LargestNoiseMultiplier && PrivacyAccountant.Epsilon(with(noise), adjacency, delta) > epsilon; step *= 2)
            noise *= 1 + step;
        return Math.Min(noise, GaussianAccountant.LargestNoiseMultiplier);
    }

    private static double? Sampled(double epsilon, double delta, Adjacency adjacency, Func<double, IEnumerable<PrivacyEvent>> with)
    {
        double Coarse(double noise) => PldAccountant.Once(with(noise), adjacency, delta, coarse: true) / epsilon;

        // Bracket by doubling, then close in on a coarse grid; epsilon falls about like a power of the noise.
        double high = 1, atHigh = Coarse(high);
        while (!(atHigh <= 1))
        {
            high *= 2;
            if (high > GaussianAccountant.LargestNoiseMultiplier)
                return null;
            atHigh = Coarse(high);
        }

        double low = high / 2, atLow = Coarse(low);
        while (atLow <= 1)
        {
            (high, atHigh, low) = (low, atLow, low / 2);
            if (low < GaussianAccountant.SmallestNoiseMultiplier)
                return GaussianAccountant.SmallestNoiseMultiplier;
            atLow = Coarse(low);
        }

        while (high / low > 1 + CoarsePrecision && atHigh < 1 - CoarsePrecision)
        {
            // Where a straight line through the ends, in logarithms, meets the target; kept off the ends.
            double share = atHigh > 0 && double.IsFinite(atLow) ? Math.Clamp(Math.Log(atLow) / Math.Log(atLow / atHigh), 0.1, 0.9) : 0.5;
            double middle = low * Math.Pow(high / low, share);
            double atMiddle = Coarse(middle);
            if (atMiddle <= 1)
                (high, atHigh) = (middle, atMiddle);
            else
                (low, atLow) = (middle, atMiddle);
        }

        // On a finer grid: aim a little below the target until it is met. The accountant has the last word.
        double best = double.PositiveInfinity, bestReached = 1, below = 0, noise = high;
        for (int i = 0; i < MostRefinements; i++)
        {
            double reached = PldAccountant.Once(with(noise), adjacency, delta, coarse: false) / epsilon;
            if (reached <= 1 && noise < best)
                (best, bestReached) = (noise, reached);
            else if (reached <= 1)
                break;
            else
                below = Math.Max(below, noise);
            if (reached <= 1 && reached >= 1 - Closeness)
                break;
            // Epsilon falls at least as fast as the inverse of the noise.
            double next = noise * reached / (1 - Aim);
            noise = next > below && next < best ? next : double.IsFinite(best) ? (best + below) / 2 : 2 * below;
        }

        if (!double.IsFinite(best))
            best = high;
        // The two grids' bounds differ by less than a ten-thousandth: only a result closer to the target is looked at again.
        while (bestReached > 1 - GridsApart && PrivacyAccountant.Epsilon(with(best), adjacency, delta) > epsilon)
            best *= 1 + Aim;
        return best;
    }
}
