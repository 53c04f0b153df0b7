namespace Chorus.Simulation.Privacy.Audit;

/// <summary>
/// What the number of right guesses about many canaries, each put into a run by its own fair coin, says against a claim of
/// (epsilon, delta): Steinke, Nasr, Jagielski, Privacy Auditing with One (1) Training Run, arXiv:2305.08846, Theorem 5.2;
/// and what it says when there are many such runs.
/// </summary>
/// <remarks>
/// One run. Let m canaries be in or out by fair coins, and an auditor who sees only the output guess r of the coins,
/// abstaining on the rest. Under (epsilon, 0) the odds of a coin, given the output and all other coins, are at most e^epsilon
/// either way: whatever else was guessed, a guess is right with probability at most q = e^epsilon / (1 + e^epsilon), so the
/// right ones number at most W ~ Bin(r, q), stochastically. Under (epsilon, delta) an output may give a coin away, with a
/// probability of at most 2 delta a coin; let F count such coins, E[F] at most 2 m delta (m, not r: the auditor guesses where
/// something was given away). Each adds at most one right guess, and with P[F = i] counting i times in E[F],
/// <code>
/// P[right >= v] at most P[W + F >= v] at most beta(v) + 2 m delta alpha(v),
/// beta(v) = P[W >= v],   alpha(v) = max over i of P[v - i at most W, W below v] / i.
/// </code>
/// Nothing is assumed of the mechanism, of how the scores hang together, or of how the guesses were chosen, save that they
/// depend on the coins through the output alone, and that r is fixed before.
/// Many runs, each with coins and noise of its own. Given all that happened in the others, the right guesses of a run obey the
/// inequality, so they are stochastically at most a variable on 0 .. r with those tails, and the sum over runs at most the
/// sum of as many independent copies of it. The tail of that sum is the p-value. One run of all canaries is the
/// special case, and the weaker one at delta above 0: there F is known by its mean alone and may be large at once, here it is
/// a sum of independent terms of at most r.
/// </remarks>
public static class OneRunBound
{
    /// <summary>Beyond this no audit of a size that can be run sees anything.</summary>
    public const double LargestEpsilon = 64;

    private const double Step = 0.5;
    private const int Bisections = 24;

    /// <summary>The most probable it is, under (epsilon, delta), that so many guesses are right.</summary>
    /// <param name="runs">Runs with independent coins and noise, at least 1.</param>
    /// <param name="canaries">m: all canaries of a run, those abstained on included.</param>
    /// <param name="guesses">r: guesses in each run, in [1, m].</param>
    /// <param name="right">Right guesses of all runs together, in [0, runs x guesses].</param>
    /// <param name="epsilon">At least 0.</param>
    /// <param name="delta">In [0, 1).</param>
    /// <returns>In [0, 1].</returns>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range.</exception>
    public static double PValue(int runs, int canaries, int guesses, int right, double epsilon, double delta)
    {
        if (runs < 1)
            throw new ArgumentOutOfRangeException(nameof(runs), $"runs must be at least 1, got {runs}");
        if (canaries < 1)
            throw new ArgumentOutOfRangeException(nameof(canaries), $"canaries must be at least 1, got {canaries}");
        if (guesses < 1 || guesses > canaries)
            throw new ArgumentOutOfRangeException(nameof(guesses), $"guesses must be in [1, {canaries}], got {guesses}");
        if (right < 0 || right > (long)runs * guesses)
            throw new ArgumentOutOfRangeException(nameof(right), $"right guesses must be in [0, {(long)runs * guesses}], got {right}");
        if (!(epsilon >= 0 && double.IsFinite(epsilon)))
            throw new ArgumentOutOfRangeException(nameof(epsilon), $"epsilon must be finite and at least 0, got {epsilon:R}");
        if (!(delta >= 0 && delta < 1))
            throw new ArgumentOutOfRangeException(nameof(delta), $"delta must be in [0, 1), got {delta:R}");
        double[] tails = Tails(canaries, guesses, epsilon, delta);
        if (runs == 1)
            return tails[right];
        var wrong = new double[guesses + 1];   // by wrong guesses: those are few, and few are summed below
        for (int v = 0; v <= guesses; v++)
            wrong[guesses - v] = tails[v] - (v == guesses ? 0 : tails[v + 1]);
        return Math.Min(1, ProbabilityOfAtMost((runs * guesses) - right, wrong, runs));
    }

    /// <summary>A lower bound on the epsilon, at <paramref name="delta"/>, of whatever made so many guesses right.</summary>
    /// <param name="error">Probability, in (0, 1), that the bound lies above a true epsilon.</param>
    /// <returns>In [0, <see cref="LargestEpsilon"/>]; 0 where nothing was shown.</returns>
    public static double Epsilon(int runs, int canaries, int guesses, int right, double delta, double error)
    {
        if (!(error > 0 && error < 1))
            throw new ArgumentOutOfRangeException(nameof(error), $"the probability of error must be in (0, 1), got {error:R}");
        bool Refuted(double epsilon) => PValue(runs, canaries, guesses, right, epsilon, delta) <= error;
        if (!Refuted(0))
            return 0;
        // The first crossing counts, so that every epsilon refuted has only refuted ones below it.
        double low = 0;
        while (low < LargestEpsilon && Refuted(low + Step))
            low += Step;
        if (low >= LargestEpsilon)
            return LargestEpsilon;
        double high = low + Step;
        for (int i = 0; i < Bisections; i++)
        {
            double middle = (low + high) / 2;
            if (Refuted(middle))
                low = middle;
            else
                high = middle;
        }

        return low;
    }

    /// <summary>The bound on P[right >= v] in one run for v = 0 .. r, made to fall: a tail is at most the one before.</summary>
    private static double[] Tails(int canaries, int guesses, double epsilon, double delta)
    {
        double[] probabilities = BinomialTails.Probabilities(guesses, logOdds: epsilon);
        var tails = new double[guesses + 1];
        double beta = 0;
        for (int v = guesses; v >= 1; v--)
        {
            beta += probabilities[v];
            double alpha = 0, below = 0;
            for (int i = 1; i <= v && delta > 0; i++)
            {
                below += probabilities[v - i];
                alpha = Math.Max(alpha, below / i);
            }

            tails[v] = Math.Min(1, beta + (2 * canaries * delta * alpha));
        }

        tails[0] = 1;
        for (int v = 1; v <= guesses; v++)
            tails[v] = Math.Min(tails[v], tails[v - 1]);
        return tails;
    }

    /// <summary>P[sum of so many independent draws is at most a limit], by doubling; all terms are positive, so nothing cancels.</summary>
    private static double ProbabilityOfAtMost(int limit, double[] one, int count)
    {
        double[] sum = [1];
        double[] power = Cut(one, limit);
        for (int left = count; ; left >>= 1)
        {
            if ((left & 1) != 0)
                sum = Convolve(sum, power, limit);
            if (left == 1)
                return sum.Sum();
            power = Convolve(power, power, limit);
        }
    }

    private static double[] Cut(double[] values, int limit) => values.Length <= limit + 1 ? values : values[..(limit + 1)];

    private static double[] Convolve(double[] a, double[] b, int limit)
    {
        var result = new double[Math.Min(a.Length + b.Length - 1, limit + 1)];
        for (int i = 0; i < Math.Min(a.Length, result.Length); i++)
        {
            if (a[i] == 0)
                continue;
            for (int j = 0; j < Math.Min(b.Length, result.Length - i); j++)
                result[i + j] += a[i] * b[j];
        }

        return result;
    }
}
