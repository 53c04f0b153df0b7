using System.Globalization;
using Chorus.Actors.Embedding;
using Chorus.Actors.Journals;
using Chorus.Actors.Ledger;
using Chorus.Actors.Methods;
using Chorus.Actors.Settings;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.FedAvg;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Runs;

/// <summary>
/// What the coordinator of a run knows from its start: resolved settings, folder, data, and the noise that keeps all
/// rounds within the budget.
/// </summary>
/// <param name="Run">The run's id: its name and the hash of its settings and data.</param>
/// <param name="Clients">Clients that take part.</param>
/// <param name="NoiseMultiplier">Noise standard deviation over sensitivity, the same every round; 0 in a run without noise.</param>
/// <param name="Delta">The resolved delta.</param>
/// <param name="Instance">Tells this run's charges from those of another run with the same settings and data.</param>
/// <param name="Ledger">The ledger that it shares with other runs, held; null where it has its own, in its journal.</param>
public sealed record RunContext(
    string Run, RunSettings Settings, string SettingsSha256, RunFolder Folder, FederatedCorpus Corpus, int Clients, double NoiseMultiplier,
    double Delta, string Instance, LedgerFiles? Ledger) : IDisposable
{
    /// <summary>Where the run's events are kept.</summary>
    public RunJournal Journal { get; } = RunJournal.Of(Folder, Settings.Journal, Instance);

    /// <summary>The blocks of the run's clients.</summary>
    public BlockLayout Layout { get; } = new(Clients, Settings.Clients.BlockSize);

    /// <summary>Which steps the run consists of.</summary>
    public RunPlan Plan { get; } = RunPlan.Of(Settings);

    /// <summary>What the run pays for.</summary>
    public RunCharges Charges { get; } = RunCharges.Of(Settings, Clients, NoiseMultiplier);

    /// <summary>What makes the run's releases private.</summary>
    public IReleaseMechanism Mechanism { get; init; } = Settings.Method == Method.DpFtrl
        ? new BandedMechanism(
            new BandedNoise(Settings.Federated.Bands), round => [.. RunFolder.ReadJson<Release>(Folder.Release(round)).Values], round => NoiseSourceOf(Settings, Folder, round))
        : DiscreteGaussianMechanism.Instance;

    /// <summary>The public, expected size of a round's cohort: what sums are divided by.</summary>
    public double ExpectedCohort => ExpectedCohortOf(Settings, Clients);

    /// <summary>What clients do in a round, as the coordinator needs it: to know how long a vote is, and what scores it means.</summary>
    public ClientWorkFactory Work { get; } = RoundWork.AtCoordinator(Settings);

    private readonly Lazy<ISentenceEncoder> _encoder = new(() => RunEncoder.Open(Settings.Encoder, Corpus.Initial));

    /// <summary>Keeps other processes from the run's folder until it is disposed.</summary>
    public IDisposable? Held { get; init; }

    /// <summary>What cohorts are drawn from, where it is given: else the run's seed, or a secret (see privacy.reproducible-noise).</summary>
    public ulong? CohortSeed { get; init; }

    /// <summary>When recorded devices could be reached; null where the run needs no trace.</summary>
    public PresenceTrace? Trace { get; init; }

    /// <summary>A round's cohort: the clients that are drawn, without those who do not answer in time.</summary>
    /// <param name="round">From 1.</param>
    /// <param name="seed">What the run draws its cohorts from.</param>
    /// <returns>Whom to count, and what became of the others; null where all who are asked answer.</returns>
    public (ClientSet Cohort, Turnout? Turnout) CohortOf(int round, ulong seed)
    {
        var clients = Settings.Clients;
        var asked = Settings.Method == Method.DpFtrl
            ? ClientTurns.InRound(Corpus.Clients.IdOf, Clients, Settings.Federated.Bands, Settings.Seed, round)
            : ClientSampler.Draw(clients.Asked(Clients), Clients, seed, round);
        if (clients.Availability.Model is not { } model)
            return (asked, null);
        int? enough = clients.Availability.FirstCome && clients.Cohort is FixedSize size ? size.Count : null;
        return new AvailabilityModel(model, Trace, seed).Play(asked, round, enough);
    }

    /// <summary>Epsilon of all that the run releases up to and with a round; of the whole run after its last.</summary>
    public double EpsilonAfter(int round) =>
        Settings.Method == Method.Private || (Settings.Privacy.WithoutNoise && Settings.Method.SpendsPrivacy())
            ? double.PositiveInfinity
            : Charges.EpsilonAfter(round, Settings.Privacy.Adjacency, Delta);

    /// <summary>
    /// Where the noise of a round comes from: the operating system's generator; or, where the run is a simulation to be repeated, its
    /// seed; or, where noise is needed again in later rounds, a secret in the run's folder.
    /// </summary>
    public IRandomSource NoiseSource(int round) => NoiseSourceOf(Settings, Folder, round);

    /// <inheritdoc cref="ExpectedCohort"/>
    public static double ExpectedCohortOf(RunSettings settings, int clients) => settings.Method == Method.DpFtrl
        ? (double)clients / settings.Federated.Bands
        : settings.Clients.Cohort.ExpectedSize(clients);

    /// <summary>The run's encoder, made when it is first asked for.</summary>
    public ISentenceEncoder Encoder => _encoder.Value;

    private static IRandomSource NoiseSourceOf(RunSettings settings, RunFolder folder, int round)
    {
        var purpose = string.Create(CultureInfo.InvariantCulture, $"noise/round-{round}");
        return settings.Privacy.ReproducibleNoise ? new SeededRandomSource(settings.Seed, purpose)
            : settings.Method == Method.DpFtrl ? new SeededRandomSource(folder.NoiseSecret(), purpose)
            : new CryptographicRandomSource();
    }

    public void Dispose()
    {
        if (_encoder is { IsValueCreated: true, Value: IDisposable encoder })
            encoder.Dispose();
        Corpus.Dispose();
        Ledger?.Dispose();
        Held?.Dispose();
    }
}
