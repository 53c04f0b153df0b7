using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Federation;

/// <summary>Draws a round's cohort from a seed. The same (cohort, clients, seed, round) gives the same set anywhere.</summary>
/// <remarks>
/// Whoever knows the seed can repeat the draw. Charging less for a sampled round counts on nobody doing so: the seed is
/// then drawn from the operating system's generator and stays in the run's journal (docs/privacy.md).
/// </remarks>
public static class ClientSampler
{
    /// <param name="cohort">How clients are chosen.</param>
    /// <param name="clients">Population, at least 1.</param>
    /// <param name="seed">A secret, or the seed of a run that is to be repeated.</param>
    /// <param name="round">Round number, at least 0; rounds are independent.</param>
    /// <exception cref="ArgumentException">A fixed cohort is larger than the population.</exception>
    public static ClientSet Draw(Cohort cohort, int clients, ulong seed, int round)
    {
        ArgumentNullException.ThrowIfNull(cohort);
        if (clients < 1)
            throw new ArgumentOutOfRangeException(nameof(clients), $"clients must be at least 1, got {clients}");
        ArgumentOutOfRangeException.ThrowIfNegative(round);
        var bits = new RandomBits(new SeededRandomSource(seed, $"cohort/{round}"));
        return cohort switch
        {
            AllClients => ClientSet.All(clients),
            FixedSize f when f.Count <= clients => ClientSet.Of(clients, bits.Distinct(clients, f.Count)),
            FixedSize f => throw new ArgumentException($"cohort size must be at most the {clients} clients there are, got {f.Count}: lower it or choose all clients"),
            Poisson p => ClientSet.Of(Marked(clients, p.Probability, bits)),
            _ => throw new NotSupportedException($"no draw is known for a cohort of type {cohort.GetType().Name}"),
        };
    }

    private static bool[] Marked(int clients, double probability, RandomBits bits)
    {
        var marked = new bool[clients];
        if (probability >= 1)
        {
            Array.Fill(marked, true);
            return marked;
        }

        // Exact from 2^-11 up; below that the cut makes the probability smaller by less than 2^-64.
        ulong below = (ulong)(probability * 18446744073709551616.0);
        for (int client = 0; client < clients; client++)
            marked[client] = bits.NextUInt64() < below;
        return marked;
    }
}
