namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>How many releases of one kind a budget buys.</summary>
public static class RoundSearch
{
    /// <summary>The most releases that cost no more than the budget, together with what is spent already.</summary>
    /// <param name="release">One release.</param>
    /// <param name="epsilon">The budget.</param>
    /// <param name="delta">In (0, 1).</param>
    /// <param name="known">A number that is known to fit: looked at first is one more, which is all that a run whose noise was derived from its rounds needs.</param>
    /// <param name="most">Where to stop looking.</param>
    /// <param name="spent">Releases made before.</param>
    /// <returns>In [<paramref name="known"/>, <paramref name="most"/>].</returns>
    /// <exception cref="ArgumentOutOfRangeException">known is below 0 or above most.</exception>
    public static int Affordable(
        PrivacyEvent release, Adjacency adjacency, double epsilon, double delta, int known = 0, int most = 100_000, IReadOnlyCollection<PrivacyEvent>? spent = null)
    {
        ArgumentNullException.ThrowIfNull(release);
        if (known < 0 || known > most)
            throw new ArgumentOutOfRangeException(nameof(known), $"known must be in [0, {most}], got {known}");
        bool Fits(int count) => PrivacyAccountant.Epsilon([.. spent ?? [], release with { Count = count }], adjacency, delta) <= epsilon;

        // Epsilon grows with the number of releases: stride ahead until it does not fit, then halve what is between.
        int fits = known, stride = 1;
        while (fits < most)
        {
            int next = (int)Math.Min(most, (long)fits + stride);
            if (!Fits(next))
                return Between(fits, next, Fits);
            (fits, stride) = (next, checked(stride * 2));
        }

        return fits;
    }

    private static int Between(int fits, int fails, Func<int, bool> check)
    {
        while (fails - fits > 1)
        {
            int middle = fits + (fails - fits) / 2;
            if (check(middle))
                fits = middle;
            else
                fails = middle;
        }

        return fits;
    }
}
