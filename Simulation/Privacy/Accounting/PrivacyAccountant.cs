namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>What a history costs, by the tightest accountant that holds for it.</summary>
public static class PrivacyAccountant
{
    /// <summary>The epsilon to state: exact where nothing is sampled, else the upper bound of <see cref="PldAccountant"/>.</summary>
    /// <param name="delta">In (0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">delta is out of range.</exception>
    public static double Epsilon(IEnumerable<PrivacyEvent> events, Adjacency adjacency, double delta) =>
        Exact(events, adjacency, delta) ?? PldAccountant.Epsilon(events, adjacency, delta).Upper;

    /// <inheritdoc cref="Epsilon(IEnumerable{PrivacyEvent}, Adjacency, double)"/>
    public static double Epsilon(PrivacyHistory history, double delta) => Epsilon(history.Grouped().Events, history.Adjacency, delta);

    /// <summary>The exact epsilon, or null where a release is sampled.</summary>
    public static double? Exact(IEnumerable<PrivacyEvent> events, Adjacency adjacency, double delta)
    {
        double distance = adjacency == Adjacency.ReplaceOne ? 2 : 1;
        var gaussians = new List<(double, int)>();
        foreach (PrivacyEvent e in events)
        {
            if (e.Sampling is not (FullParticipation or PoissonSampling { Rate: 1 }))
                return null;
            gaussians.Add((e.NoiseMultiplier / distance, e.Count));
        }

        return GaussianAccountant.Epsilon(gaussians, delta);
    }
}
