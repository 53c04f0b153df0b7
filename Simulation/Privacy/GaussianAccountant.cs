using MathNet.Numerics.Integration;

namespace Chorus.Simulation.Privacy;

/// <summary>
/// The exact (epsilon, delta) of Gaussian releases of sensitivity 1 in which every client may take part.
/// </summary>
/// <remarks>
/// Releases with noise multipliers sigma_i, chosen in any order and each perhaps in view of the earlier ones, cost
/// together what one Gaussian release costs with mu = sqrt(sum 1 / sigma_i^2) (Dong, Roth, Su, Gaussian Differential
/// Privacy, arXiv:1905.02383, Cor. 3.3). Its privacy loss is normal with mean mu^2 / 2 and deviation mu, and
/// <code>
/// delta(epsilon) = Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu)          (Balle, Wang, arXiv:1805.06530, Thm 8)
///                = integral over s > 0 of phi(a + s) (1 - e^(-mu s)) ds,  a = epsilon/mu - mu/2.
/// </code>
/// The second line is the same number, E[max(0, 1 - e^(epsilon - loss))], and is what is computed: all its terms are
/// positive, so nothing cancels, where the first loses every digit for small mu or small delta. Adjacency: one client is
/// added or removed. Every result is rounded to the safe side: delta, epsilon and noise upward.
/// </remarks>
public static class GaussianAccountant
{
    /// <summary>The largest noise multiplier considered: with it, noise on the 2^-24 grid begins to fill 64 bits.</summary>
    public const double LargestNoiseMultiplier = 1L << 28;

    /// <summary>The smallest noise multiplier considered: below it no epsilon that means anything comes out.</summary>
    public const double SmallestNoiseMultiplier = 1.0 / (1 << 20);

    private const int QuadraturePoints = 32;

    // Twice the fall of ln phi from its peak at which the integral is cut: what lies beyond is under 10^-18 of it.
    private const double TailCut = 90;

    // Quadrature, exp and tanh together stay within 10^-13; all results carry this much on top.
    private const double DeltaSlack = 1e-11;
    private const double EpsilonPrecision = 1e-12;

    // Noise is given with this many significant bits, rounded up: 2^-32 relative, and the same value wherever the
    // platform's exp differs in its last bit.
    private const int NoiseBits = 33;

    /// <summary>The smallest delta for which the releases are (epsilon, delta)-private, rounded up by at most 10^-10 relative.</summary>
    /// <param name="epsilon">At least 0.</param>
    /// <param name="noiseMultiplier">Standard deviation over sensitivity, in [2^-20, 2^28].</param>
    /// <param name="rounds">Number of such releases, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range.</exception>
    public static double Delta(double epsilon, double noiseMultiplier, int rounds = 1)
    {
        if (!(epsilon >= 0) || double.IsInfinity(epsilon))
            throw new ArgumentOutOfRangeException(nameof(epsilon), $"epsilon must be finite and at least 0, got {epsilon:R}");
        double log = LogDelta(epsilon, Mu([(noiseMultiplier, RequireRounds(rounds))]));
        return Math.Min(1, Math.BitIncrement(Math.Exp(log) * (1 + DeltaSlack)));
    }

    /// <summary>The smallest epsilon of releases that all carry one noise, rounded up by at most 10^-9 relative.</summary>
    /// <param name="noiseMultiplier">Standard deviation over sensitivity, in [2^-20, 2^28].</param>
    /// <param name="rounds">Number of such releases, at least 1.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <returns>At least 0; 0 when delta alone covers the releases.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range.</exception>
    public static double Epsilon(double noiseMultiplier, int rounds, double delta) =>
        Epsilon([(noiseMultiplier, RequireRounds(rounds))], delta);

    /// <summary>The smallest epsilon of releases with several noises, in any order, rounded up by at most 10^-9 relative.</summary>
    /// <param name="events">How many releases were made with each noise multiplier; none cost nothing.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range.</exception>
    public static double Epsilon(IEnumerable<(double NoiseMultiplier, int Count)> events, double delta)
    {
        ArgumentNullException.ThrowIfNull(events);
        RequireDelta(delta);
        return EpsilonOf(Mu(events), delta);
    }

    /// <summary>The smallest noise that keeps a number of releases within (epsilon, delta), rounded up by at most 10^-9 relative.</summary>
    /// <param name="epsilon">Above 0.</param>
    /// <param name="rounds">Number of releases, at least 1.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <returns>Standard deviation over sensitivity. <see cref="Epsilon(double, int, double)"/> of it is at most epsilon.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range, or no noise up to 2^28 reaches epsilon.</exception>
    public static double NoiseMultiplier(double epsilon, int rounds, double delta)
    {
        if (!(epsilon > 0) || double.IsInfinity(epsilon))
            throw new ArgumentOutOfRangeException(nameof(epsilon), $"epsilon must be finite and above 0, got {epsilon:R}: typical values lie between 0.5 and 10");
        RequireDelta(delta);
        RequireRounds(rounds);
        double target = Math.Log(delta) - (2 * DeltaSlack);
        double within = epsilon * (1 - (2 * EpsilonPrecision));
        bool Enough(double noise) => LogDelta(within, Math.Sqrt(rounds) / noise) <= target;
        if (!Enough(LargestNoiseMultiplier))
        {
            throw new ArgumentOutOfRangeException(nameof(epsilon),
                $"epsilon {epsilon:R} at delta {delta:R} over {rounds} rounds is reached by no noise multiplier up to 2^28: raise epsilon or delta, or run fewer rounds");
        }

        if (Enough(SmallestNoiseMultiplier))
            return SmallestNoiseMultiplier;
        // Bisect in powers of two first, then over the significant bits, so that the answer is a short binary fraction.
        double high = LargestNoiseMultiplier;
        while (Enough(high / 2))
            high /= 2;
        double step = high / 2;
        double low = step;
        for (int bit = 1; bit < NoiseBits; bit++)
        {
            step /= 2;
            if (!Enough(low + step))
                low += step;
        }

        // What is promised is what Epsilon says of the result, so that is what has the last word.
        double result = low + step;
        while (EpsilonOf(Mu([(result, rounds)]), delta) > epsilon)
            result += step;
        return result;
    }

    private static double EpsilonOf(double mu, double delta)
    {
        double target = Math.Log(delta) - (2 * DeltaSlack);   // one slack for Delta's own rounding up
        if (mu == 0 || LogDelta(0, mu) <= target)
            return 0;
        double low = 0;
        double high = 1;
        while (LogDelta(high, mu) > target)
        {
            low = high;
            high *= 2;
        }

        // `high` is private enough at every step, so what is returned is too.
        while (high - low > EpsilonPrecision * high)
        {
            double middle = low + ((high - low) / 2);
            if (middle <= low || middle >= high)
                break;
            if (LogDelta(middle, mu) > target)
                low = middle;
            else
                high = middle;
        }

        return high;
    }

    /// <summary>
    /// ln delta(epsilon) of one Gaussian release of the given mu, to about 10^-12. With the density's largest value taken
    /// out of the integral, it neither overflows nor underflows: deltas far below 10^-308 still compare.
    /// </summary>
    internal static double LogDelta(double epsilon, double mu)
    {
        double a = (epsilon / mu) - (mu / 2);
        if (a > 1e4)
            return -(a * a / 2);   // delta < Phi(-a) < e^(-a^2 / 2), far below any delta that a double can hold
        double start = Math.Max(a, -Math.Sqrt(TailCut));   // below, phi is nothing beside the bulk
        double peak = Math.Max(start, 0);
        double end = Math.Sqrt((peak * peak) + TailCut);
        double Integrand(double t)
        {
            double half = Math.Tanh(mu * (t - a) / 2);   // 1 - e^-x = 2 tanh(x/2) / (1 + tanh(x/2)), exact for small x
            return Math.Exp(((peak - t) * (peak + t)) / 2) * (2 * half / (1 + half));
        }

        // Panels double in width from the scale of the steepest factor, up to 1.
        double total = 0;
        double width = Math.Min(1, 1 / (mu + peak + 1));
        for (double left = start; left < end; width = Math.Min(1, 2 * width))
        {
            double right = Math.Min(end, left + width);
            total += GaussLegendreRule.Integrate(Integrand, left, right, QuadraturePoints);
            left = right;
        }

        // ln phi(peak) = -peak^2 / 2 - ln(2 pi) / 2. `a` is rounded by up to 3 u (epsilon/mu + mu/2), u = 2^-53, and
        // ln delta falls by at most a + 1 for each unit of a.
        double rounding = 1e-15 * ((epsilon / mu) + mu) * (peak + 1);
        return Math.Min(0, Math.Log(total) - (peak * peak / 2) - (Math.Log(2 * Math.PI) / 2) + rounding);
    }

    private static double Mu(IEnumerable<(double NoiseMultiplier, int Count)> events)
    {
        double square = 0;
        foreach ((double noise, int count) in events)
        {
            if (!(noise >= SmallestNoiseMultiplier && noise <= LargestNoiseMultiplier))
                throw new ArgumentOutOfRangeException(nameof(events), $"noise multiplier must be in [2^-20, 2^28], got {noise:R}");
            if (count < 0)
                throw new ArgumentOutOfRangeException(nameof(events), $"count must be at least 0, got {count}");
            square += count / noise / noise;
        }

        return Math.Sqrt(square);
    }

    internal static void RequireDelta(double delta)
    {
        if (!(delta > 0 && delta < 1))
            throw new ArgumentOutOfRangeException(nameof(delta), $"delta must be in (0, 1), got {delta:R}: choose one well below 1 over the number of clients");
    }

    private static int RequireRounds(int rounds) => rounds >= 1
        ? rounds
        : throw new ArgumentOutOfRangeException(nameof(rounds), $"rounds must be at least 1, got {rounds}");
}
