using Akka.Configuration;
using Chorus.Actors.Ledger;
using Chorus.Simulation.Data;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Settings;

/// <summary>
/// Everything a run can be told, read once from HOCON and checked. Defaults, units and effects stand in
/// Hocon/reference.conf.
/// </summary>
public sealed record RunSettings
{
    public required string Name { get; init; }

    public required ulong Seed { get; init; }

    public required int Rounds { get; init; }

    public required DataSettings Data { get; init; }

    public required ClientSettings Clients { get; init; }

    public required Method Method { get; init; }

    public required PopriSettings Popri { get; init; }

    public required PeSettings Pe { get; init; }

    public required FederatedSettings Federated { get; init; }

    public required DpSgdRunSettings DpSgd { get; init; }

    public required PrivacySettings Privacy { get; init; }

    public required JournalSettings Journal { get; init; }

    public required EncoderSettings Encoder { get; init; }

    public required PolicyRunSettings Policy { get; init; }

    public required int SyntheticTexts { get; init; }

    public required EvaluationSettings Evaluation { get; init; }

    public required bool Diagnostics { get; init; }

    /// <summary>The resolved settings as the HOCON that reads back to them: a run's run.conf.</summary>
    public required string Hocon { get; init; }

    /// <summary>Reads a run.conf that a run wrote.</summary>
    public static RunSettings Load(string file) => From((Path.GetFileName(file), HoconFiles.Read(file)));

    /// <param name="overrides">Named documents over the reference; later ones win.</param>
    /// <exception cref="SettingsException">An unknown key, or a value of another type or out of its range.</exception>
    public static RunSettings From(params IEnumerable<(string Name, Config Config)> overrides)
    {
        var read = new SettingsReader(HoconFiles.Reference, overrides);
        var method = MethodNames.Parse(read.OneOf("method", MethodNames.All.AsSpan()));
        var popri = PopriSettings.From(read, method);
        var data = DataSettings.From(read);
        return new RunSettings
        {
            Name = FileSafe(read, "name"),
            Seed = read.UInt64("seed"),
            Rounds = read.Int("rounds", 1, 999),
            Data = data,
            Clients = ClientSettings.From(read, method),
            Method = method,
            Popri = popri,
            Pe = PeSettings.From(read),
            Federated = FederatedSettings.From(read, method),
            DpSgd = DpSgdRunSettings.From(read),
            Privacy = PrivacySettings.From(read),
            Journal = JournalSettings.From(read),
            Encoder = EncoderSettings.From(read),
            Policy = PolicyRunSettings.From(read, popri),
            SyntheticTexts = read.Int("synthetic.texts", 10, 1_000_000),
            Evaluation = EvaluationSettings.From(read),
            Diagnostics = read.Flag("diagnostics"),
            Hocon = read.ToHocon(),
        };
    }

    /// <summary>How a round's cohort is charged: as those who are asked, whoever of them answers (docs/privacy.md, Availability).</summary>
    public Sampling SamplingOf(int clients) => Clients.Asked(clients) switch
    {
        Poisson poisson when Privacy.Amplification => new PoissonSampling(poisson.Probability),
        // A client that joins a cohort of fixed size puts another out of it, known or not; one that answers among the first does so again,
        // and the two together still put at most one in and one out.
        FixedSize fixedSize => new FixedSizeSampling(Privacy.Amplification ? fixedSize.Count : clients, clients),
        _ => Sampling.Full,
    };

    /// <summary>These settings with other values for some keys.</summary>
    public RunSettings With(params ReadOnlySpan<(string Key, string Value)> values)
    {
        var changed = new System.Text.StringBuilder(Hocon);
        foreach (var (key, value) in values)
            changed.AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"chorus.{key} = {SettingsReader.Quote(value)}");
        return From(("the resolved settings", ConfigurationFactory.ParseString(changed.ToString())));
    }

    private static string FileSafe(SettingsReader read, string key)
    {
        var name = read.Text(key);
        return name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && name[0] != '.'
            ? name
            : throw read.Wrong(key, "1 to 64 letters, digits, '-', '_' or '.'");
    }
}

/// <summary>Where the data is: a folder, or how to synthesise it.</summary>
/// <param name="Directory">LargeFedBench's three files; empty to synthesise.</param>
/// <param name="Synthesis">Null where a folder is given.</param>
/// <param name="Store">Where clients' texts and embeddings are while a run goes on.</param>
public sealed record DataSettings(string Directory, SynthesisSettings? Synthesis, ClientStorage Store)
{
    internal static DataSettings From(SettingsReader read)
    {
        var directory = read.Text("data.directory");
        var synthesis = new SynthesisSettings
        {
            Flavour = read.OneOf("data.synthesize.flavour", "congress", "biorxiv") == "congress" ? CorpusFlavour.Congress : CorpusFlavour.Biorxiv,
            Clients = read.Int("data.synthesize.clients", 1, 10_000_000),
            Seed = read.UInt64("seed"),
            Alpha = read.Above("data.synthesize.alpha", 0, 1000),
            InitialTexts = read.Int("data.synthesize.initial-texts", 10, 10_000_000),
            EvalClients = read.Int("data.synthesize.eval-clients", 10, 1_000_000),
        };
        var store = read.OneOf("data.store", "auto", "memory", "disk") switch
        {
            "memory" => ClientStorage.Memory,
            "disk" => ClientStorage.Disk,
            _ => ClientStorage.Auto,
        };
        return directory.Length > 0 ? new DataSettings(Path.GetFullPath(directory), null, store) : new DataSettings("", synthesis, store);
    }
}

/// <summary>Where clients' texts and embeddings are while a run goes on.</summary>
public enum ClientStorage
{
    /// <summary>On disk where the client file is large, else in memory.</summary>
    Auto,

    /// <summary>Texts are read from the data folder; each client keeps its embeddings.</summary>
    Memory,

    /// <summary>Both lie in the user's cache, by the hash of the data; a client holds nothing.</summary>
    Disk,
}

/// <summary>The clients and how a round asks them.</summary>
public sealed record ClientSettings(
    int Limit, int BlockSize, Cohort Cohort, string CohortName, TimeSpan RoundDeadline, double Quorum, AvailabilityRunSettings Availability)
{
    /// <summary>Whom a round asks: the cohort, or more of them where the first to answer are taken.</summary>
    /// <param name="clients">Population.</param>
    public Cohort Asked(int clients) => Availability.FirstCome && Cohort is FixedSize size ? size.OverSelected(clients, Availability.OverSelection) : Cohort;

    internal static ClientSettings From(SettingsReader read, Method method)
    {
        var name = read.OneOf("clients.cohort", "all", "fixed", "poisson");
        Cohort cohort = name switch
        {
            "fixed" => new FixedSize(read.Int("clients.cohort-size", 1)),
            "poisson" => new Poisson(read.Above("clients.cohort-probability", 0, 1)),
            _ => new AllClients(),
        };
        return new ClientSettings(
            read.Int("clients.limit", 0),
            read.Int("clients.block-size", 1, 100_000),
            cohort,
            name,
            read.Duration("clients.round-deadline"),
            read.Above("clients.quorum", 0, 1),
            AvailabilityRunSettings.From(read, cohort, method));
    }
}

/// <summary>The budget, and where the noise comes from.</summary>
/// <param name="Delta">Null: from the number of clients.</param>
/// <param name="NoiseMultiplier">Null: the least that keeps all rounds within epsilon.</param>
/// <param name="Amplification">Whether a sampled round is charged less than one of all clients.</param>
/// <param name="Ledger">Folder of the ledger that runs on this data share; empty for one of the run's own.</param>
/// <param name="LedgerEpsilon">What all runs on that ledger may spend together; null: what it was opened with.</param>
public sealed record PrivacySettings(
    double Epsilon, double? Delta, double? NoiseMultiplier, Adjacency Adjacency, bool Amplification, bool ReproducibleNoise, string Ledger, double? LedgerEpsilon)
{
    /// <summary>No noise is added, and nothing is promised.</summary>
    public bool WithoutNoise => double.IsPositiveInfinity(Epsilon);

    internal static PrivacySettings From(SettingsReader read)
    {
        var delta = read.AutoOrAbove("privacy.delta", 0, 1);
        if (delta == 1)
            throw read.Wrong("privacy.delta", "auto or a number in (0, 1)");
        var settings = new PrivacySettings(
            read.InfinityOrAbove("privacy.epsilon", 0, 1_000_000),
            delta,
            read.AutoOrAbove("privacy.noise-multiplier", 0, 1e6),
            read.OneOf("privacy.adjacency", "add-or-remove-one", "replace-one") == "replace-one" ? Adjacency.ReplaceOne : Adjacency.AddOrRemoveOne,
            read.Flag("privacy.amplification"),
            read.Flag("privacy.reproducible-noise"),
            read.Text("privacy.ledger") is { Length: > 0 } ledger ? Path.GetFullPath(ledger) : "",
            read.AutoOrAbove("privacy.ledger-epsilon", 0, 1000));
        if (settings.WithoutNoise && settings.NoiseMultiplier is not null)
            throw read.Wrong("privacy.noise-multiplier", "auto where privacy.epsilon is inf: such a run adds no noise");
        if (settings.WithoutNoise && settings.Ledger.Length > 0)
            throw read.Wrong("privacy.ledger", "empty where privacy.epsilon is inf: no ledger can bear a run without noise");
        return settings;
    }

    /// <summary>What the run's ledger is opened with; null to take a shared one as it is.</summary>
    public PrivacyBudget? BudgetFor(double delta)
    {
        var epsilon = Ledger.Length == 0 ? Epsilon : LedgerEpsilon;
        return epsilon is { } most ? new PrivacyBudget(PrivacyUnit.Client, Adjacency, most, delta) : null;
    }

    /// <summary>The delta of a run with this many clients.</summary>
    public double DeltaFor(int clients) => Delta ?? Math.Min(1e-5, Math.Pow(clients, -1.1));
}
