namespace Chorus.Simulation.Federation;

/// <summary>Who takes part in a round: <see cref="AllClients"/>, <see cref="FixedSize"/> or <see cref="Poisson"/>.</summary>
public abstract record Cohort
{
    private protected Cohort()
    {
    }

    /// <summary>
    /// What a released sum is divided by: public, so never the realised size, which under Poisson sampling would itself
    /// tell whether a client is there.
    /// </summary>
    public abstract double ExpectedSize(int clients);
}

/// <summary>Every client, every round.</summary>
public sealed record AllClients : Cohort
{
    public override double ExpectedSize(int clients) => clients;
}

/// <summary>Exactly Count distinct clients, every such set equally likely.</summary>
/// <param name="Count">At least 1; at most the population, which is checked when clients are drawn.</param>
public sealed record FixedSize(int Count) : Cohort
{
    public int Count { get; } = Count >= 1
        ? Count
        : throw new ArgumentOutOfRangeException(nameof(Count), $"cohort size must be at least 1, got {Count}");

    public override double ExpectedSize(int clients) => Count;

    /// <summary>How many are asked so that Count answer: Count times a factor, rounded up, at most everybody.</summary>
    /// <param name="clients">Population.</param>
    /// <param name="factor">At least 1.</param>
    public FixedSize OverSelected(int clients, double factor) => factor >= 1
        ? new FixedSize((int)Math.Min(clients, Math.Ceiling((Count * factor) - 1e-9)))   // 10 x 1.1 is a little more than 11 in binary
        : throw new ArgumentOutOfRangeException(nameof(factor), $"the factor of over-selection must be at least 1, got {factor:R}");
}

/// <summary>Each client on its own with one probability.</summary>
/// <param name="Probability">In (0, 1].</param>
public sealed record Poisson(double Probability) : Cohort
{
    public double Probability { get; } = Probability is > 0 and <= 1
        ? Probability
        : throw new ArgumentOutOfRangeException(nameof(Probability), $"sampling probability must be in (0, 1], got {Probability:R}");

    public override double ExpectedSize(int clients) => Probability * clients;
}
