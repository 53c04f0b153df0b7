using System.Globalization;
using Akka.Configuration;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Actors.Audit;

/// <summary>What is audited, and how hard: one release of a run's mechanism, many times over, with canaries for clients.</summary>
/// <param name="Run">The run file that the mechanism is of: its noise, delta and scorer are used, its data and models are not.</param>
/// <param name="NoiseMultiplier">Noise standard deviation over sensitivity.</param>
/// <param name="Delta">The delta of claim and findings.</param>
/// <param name="Rounds">Releases, each with coins and noise of its own.</param>
/// <param name="Canaries">Canary clients.</param>
/// <param name="Seed">The coins derive from it, and the noise where it is reproducible.</param>
/// <param name="ReproducibleNoise">Whether the audit can be repeated to the byte; else its noise is the operating system's.</param>
public sealed record AuditPlan(
    (string Name, Config Config) Run, double NoiseMultiplier, double Delta, int Rounds, int Canaries, ulong Seed, bool ReproducibleNoise)
{
    public const int MostRounds = 999;
    public const int FewestCanaries = 16;
    public const int MostCanaries = 240;

    private const int Blocks = 8;
    private const int CoordinatesACanary = 16;   // twice what its text takes: room to choose
    private const int LargestDimension = 4096;

    /// <summary>Processes' worth of actor systems, all in this process: one with every role, or one without clients and the others with.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>What clients vote with; null: what those of the run do. Another is a mistake to be found.</summary>
    public VoteScorerFactory? Scorer { get; init; }

    /// <summary>What a block takes of a vote. One that lets any vote through shows what <see cref="Scorer"/>'s mistakes would do without it.</summary>
    public VoteGate Gate { get; init; } = VoteGate.Clipping;

    /// <summary>What adds the noise. Another than the default is a mistake to be found.</summary>
    public IReleaseMechanism Mechanism { get; init; } = DiscreteGaussianMechanism.Instance;

    /// <summary>The epsilon of one release in which every client may take part, at <see cref="Delta"/>: what is put to the test.</summary>
    public double Claim => GaussianAccountant.Epsilon(NoiseMultiplier, 1, Delta);

    /// <summary>Candidates of a round, two to a prompt.</summary>
    internal int Candidates => 2 * Prompts;

    private int Prompts => (Canaries + 1) / 2;

    /// <summary>Plans an audit of a run file's mechanism.</summary>
    /// <param name="run">The run file.</param>
    /// <param name="epsilon">What one release is to cost; the noise follows. Null: the noise is given, or the run's own.</param>
    /// <param name="noiseMultiplier">The noise. Null: from <paramref name="epsilon"/>, or the run's own.</param>
    /// <param name="delta">Null: the run's own.</param>
    /// <param name="seed">Null: drawn, and the noise is cryptographic. Given: the noise follows from it.</param>
    /// <exception cref="SettingsException">A value is out of range, or two contradict each other.</exception>
    public static AuditPlan For(
        (string Name, Config Config) run, double? epsilon, double? noiseMultiplier, double? delta, int rounds, int canaries, ulong? seed)
    {
        if (epsilon is not null && noiseMultiplier is not null)
            throw new SettingsException("--epsilon and --noise-multiplier both say how much noise there is: give one of them");
        if (epsilon is { } e && !(e > 0 && e <= 100))
            throw new SettingsException(string.Create(CultureInfo.InvariantCulture, $"--epsilon must be in (0, 100], got {e}"));
        if (noiseMultiplier is { } n && !(n >= 0.05 && n <= 1e6))
            throw new SettingsException(string.Create(CultureInfo.InvariantCulture, $"--noise-multiplier must be in [0.05, 1e6], got {n}"));
        if (delta is { } d && !(d > 0 && d < 1))
            throw new SettingsException(string.Create(CultureInfo.InvariantCulture, $"--delta must be in (0, 1), got {d}"));
        if (rounds is < 1 or > MostRounds)
            throw new SettingsException($"--rounds must be in [1, {MostRounds}], got {rounds}");
        if (canaries is < FewestCanaries or > MostCanaries)
            throw new SettingsException($"--canaries must be in [{FewestCanaries}, {MostCanaries}], got {canaries}");
        if (RunSettings.From(run).Method is not (Method.Popri or Method.PopriPlus) and var method)
            throw new SettingsException($"chorus.method must be popri or popri-plus to be audited: canaries vote for candidates, got {method.NameOf()}");
        var (runNoise, runDelta) = delta is not null && (epsilon ?? noiseMultiplier) is not null ? (1, 1) : MechanismOf(RunSettings.From(run));
        var at = delta ?? runDelta;
        var noise = noiseMultiplier ?? (epsilon is { } cost ? GaussianAccountant.NoiseMultiplier(cost, 1, at) : runNoise);
        return new AuditPlan(run, noise, at, rounds, canaries, seed ?? RandomSeed(), ReproducibleNoise: seed is not null);
    }

    /// <summary>The settings of the run that is driven: the run file's, with canaries for clients and without models.</summary>
    /// <param name="data">The canaries' data folder.</param>
    internal RunSettings Settings(string data)
    {
        // Full participation is what a release is charged as; the fair coins of the sampler are the audit's own.
        var cost = GaussianAccountant.Epsilon(NoiseMultiplier, Rounds, Delta);
        var dimension = 256;
        while (dimension < CoordinatesACanary * Candidates && dimension < LargestDimension)
            dimension *= 2;
        return RunSettings.From(Run, ("the audit", ConfigurationFactory.ParseString(string.Create(CultureInfo.InvariantCulture,
            $$"""
            chorus {
              name = audit
              seed = {{Seed}}
              rounds = {{Rounds}}
              data.directory = "{{data.Replace("\\", "\\\\", StringComparison.Ordinal)}}"
              clients { limit = 0, block-size = {{(Canaries + Blocks - 1) / Blocks}}, cohort = poisson, cohort-probability = 0.5, quorum = 1.0, availability { presence = off, over-selection = 1.0, trace = "", trace-sha256 = auto } }
              popri { prompts = {{Prompts}}, samples = 2, rejected-rank = 2, shots = 1, centre = all, rank-by = round, best-of = 1, public-texts = off, keep-pairs = 1.0 }
              privacy {
                epsilon = {{Math.Max(cost * 1.01, 1e-6):R}}
                delta = {{Delta:R}}
                noise-multiplier = {{NoiseMultiplier:R}}
                amplification = off
                ledger = ""
                adjacency = add-or-remove-one
                reproducible-noise = {{(ReproducibleNoise ? "on" : "off")}}
              }
              encoder { kind = hashed-ngrams, checkpoint = "", dimension = {{dimension}} }
              synthetic.texts = 10
              evaluation { distances = off, text-measures = off, downstream = off }
              diagnostics = off
            }
            """))));
    }

    /// <summary>Noise and delta of one release of a run, as the run itself would resolve them.</summary>
    private static (double NoiseMultiplier, double Delta) MechanismOf(RunSettings settings)
    {
        var privacy = settings.Privacy;
        var clients = ClientsOf(settings);
        var delta = privacy.DeltaFor(clients);
        return (privacy.NoiseMultiplier ?? NoiseSearch.NoiseMultiplier(privacy.Epsilon, delta, settings.Rounds, settings.SamplingOf(clients), privacy.Adjacency), delta);
    }

    private static int ClientsOf(RunSettings settings)
    {
        int clients;
        if (settings.Data.Synthesis is { } synthesis)
        {
            clients = synthesis.Clients;
        }
        else
        {
            using var corpus = FederatedCorpus.Open(settings.Data.Directory);
            clients = corpus.Clients.Count;
        }

        return settings.Clients.Limit == 0 ? clients : Math.Min(settings.Clients.Limit, clients);
    }

    private static ulong RandomSeed()
    {
        var bytes = new byte[sizeof(ulong)];
        new CryptographicRandomSource().Fill(bytes);
        return BitConverter.ToUInt64(bytes);
    }
}
