namespace Chorus.Simulation.Data.Partition;

/// <summary>By what private texts become clients.</summary>
public enum PartitionKind
{
    /// <summary>Clients stay who they are; small ones are left out and large ones cut.</summary>
    Natural,

    /// <summary>Texts are dealt to clients of one size.</summary>
    Fixed,

    /// <summary>Texts are dealt to clients whose sizes follow a power law.</summary>
    PowerLaw,

    /// <summary>Each client has a mixture of topics of its own, drawn from a Dirichlet distribution around the population's.</summary>
    Dirichlet,
}

/// <summary>How a corpus' private texts are divided anew. Equal settings and data give equal bytes.</summary>
public sealed record PartitionSettings
{
    public required PartitionKind Kind { get; init; }

    /// <summary>Clients made, or kept; null makes as many as the texts suffice for, or keeps all.</summary>
    public int? Clients { get; init => field = value is null or >= 1 ? value : throw Refuse(nameof(Clients), "at least 1", value); }

    /// <summary>Texts a client, where all are of one size; at least 1.</summary>
    public int Texts { get; init => field = value >= 1 ? value : throw Refuse(nameof(Texts), "at least 1", value); } = 8;

    /// <summary>
    /// Of a power law of sizes: a client has n texts with a probability proportional to n to the power of minus this, n from
    /// <see cref="MinTexts"/> to <see cref="MaxTexts"/>. Null for clients of one size.
    /// </summary>
    public double? Exponent { get; init => field = value is null or (>= 0 and <= 20) ? value : throw Refuse(nameof(Exponent), "in [0, 20]", value); }

    /// <summary>Fewest texts of a client; smaller ones are left out. At least 1.</summary>
    public int MinTexts { get; init => field = value >= 1 ? value : throw Refuse(nameof(MinTexts), "at least 1", value); } = 1;

    /// <summary>Most texts of a client; at least <see cref="MinTexts"/>. Of a larger natural client so many are drawn.</summary>
    public int MaxTexts { get; init => field = value >= 1 ? value : throw Refuse(nameof(MaxTexts), "at least 1", value); } = int.MaxValue;

    /// <summary>
    /// Dirichlet concentration: a client's mixture is drawn from Dirichlet(Alpha times the texts' own mixture). Near 0 a client knows a single
    /// topic, at 1,000 all are alike.
    /// </summary>
    public double Alpha { get; init => field = value is > 0 and <= 1e9 ? value : throw Refuse(nameof(Alpha), "in (0, 1e9]", value); } = 0.3;

    /// <summary>Topics that are made of the public texts where the data names none; at least 2.</summary>
    public int Topics { get; init => field = value is >= 2 and <= 1000 ? value : throw Refuse(nameof(Topics), "in [2, 1000]", value); } = 16;

    public ulong Seed { get; init; } = 1;

    private static ArgumentOutOfRangeException Refuse(string name, string range, object? value) =>
        new(name, FormattableString.Invariant($"{name} must be {range}, got {value}"));
}

/// <summary>What a partition came to.</summary>
/// <param name="Clients">Clients written.</param>
/// <param name="Texts">Their texts.</param>
/// <param name="LeftOut">Private texts that no client got.</param>
/// <param name="Topics">Topics that clients' mixtures are over; empty where topics play no part.</param>
public sealed record PartitionSummary(int Clients, long Texts, long LeftOut, IReadOnlyList<string> Topics);
