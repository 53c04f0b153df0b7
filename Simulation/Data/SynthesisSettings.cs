namespace Chorus.Simulation.Data;

/// <summary>Which of LargeFedBench's two corpora the made-up one is shaped after.</summary>
public enum CorpusFlavour
{
    /// <summary>Floor speeches; a client is a speaker.</summary>
    Congress,

    /// <summary>Abstracts of papers; a client is an author.</summary>
    Biorxiv,
}

/// <summary>What a made-up corpus is made of; equal settings give equal bytes.</summary>
public sealed record SynthesisSettings
{
    public CorpusFlavour Flavour { get; init => field = Enum.IsDefined(value) ? value : throw Refuse(nameof(Flavour), "Congress or Biorxiv", value); } = CorpusFlavour.Congress;

    /// <summary>Private clients in <c>train_clients.json</c>, from 1 to 10,000,000.</summary>
    public int Clients { get; init => field = value is >= 1 and <= 10_000_000 ? value : throw Refuse(nameof(Clients), "in [1, 10000000]", value); } = 2_000;

    /// <summary>Every client's texts follow from the seed and the client's index alone.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// Concentration of the Dirichlet distribution from which each client's mixture of topics and its mixture of styles
    /// are drawn around the population's (a client's mixture p is Dirichlet(Alpha times the population's)), above 0: near 0
    /// a client knows a single topic, at 1,000 all clients are alike.
    /// </summary>
    public double Alpha { get; init => field = value is > 0 and <= 1e9 ? value : throw Refuse(nameof(Alpha), "in (0, 1e9]", value); } = 1.0;

    /// <summary>Texts in the public <c>initial_set.json</c>, from 10 to 10,000,000.</summary>
    public int InitialTexts { get; init => field = value is >= 10 and <= 10_000_000 ? value : throw Refuse(nameof(InitialTexts), "in [10, 10000000]", value); } = 6_000;

    /// <summary>Further clients, drawn like the private ones, whose texts are <c>eval.json</c>; from 10 to 1,000,000.</summary>
    public int EvalClients { get; init => field = value is >= 10 and <= 1_000_000 ? value : throw Refuse(nameof(EvalClients), "in [10, 1000000]", value); } = 150;

    private static ArgumentOutOfRangeException Refuse(string name, string range, object value) =>
        new(name, FormattableString.Invariant($"{name} must be {range}, got {value}"));
}
