using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Actors.Watch;

/// <summary>What does not change while a run goes on.</summary>
public sealed record RunFacts
{
    public required string Run { get; init; }

    /// <summary>Tells this run's charges from those of another with the same settings and data.</summary>
    public required string Instance { get; init; }

    public required RunFolder Folder { get; init; }

    public required RunSettings Settings { get; init; }

    /// <summary>The data's name: its folder's, or the generator's settings.</summary>
    public required string Data { get; init; }

    public required int Clients { get; init; }

    public required double Delta { get; init; }

    /// <summary>Noise standard deviation over sensitivity; 0 in a run without noise.</summary>
    public required double NoiseMultiplier { get; init; }

    /// <summary>What the run pays for.</summary>
    public RunCharges Charges => RunCharges.Of(Settings, Clients, NoiseMultiplier);

    /// <summary>Which steps it consists of.</summary>
    public RunPlan Plan => RunPlan.Of(Settings);

    /// <summary>Rounds in which clients are asked; 0 where the method asks none.</summary>
    public int Rounds => Plan.Rounds;

    /// <summary>Whether other runs are paid from the same budget.</summary>
    public bool SharedLedger => Settings.Privacy.Ledger.Length > 0;

    public static RunFacts Of(RunContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new RunFacts
        {
            Run = context.Run,
            Instance = context.Instance,
            Folder = context.Folder,
            Settings = context.Settings,
            Data = context.Corpus.Name,
            Clients = context.Clients,
            Delta = context.Delta,
            NoiseMultiplier = context.NoiseMultiplier,
        };
    }

    /// <summary>The facts of a run that is not running here, without its data.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="state">What is done of it.</param>
    /// <exception cref="SettingsException">The run has not begun.</exception>
    public static RunFacts Of(RunFolder folder, RunState state)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(state);
        var settings = RunSettings.Load(folder.Settings);
        if (state.Started is not { } started)
            throw new SettingsException($"the run in {folder.Path} has not begun: start it with chorus simulate --resume --out {folder.Path} --dashboard");
        var (delta, privacy) = (settings.Privacy.DeltaFor(started.Clients), settings.Privacy);
        var noise = privacy.NoiseMultiplier ?? RunCharges.NoiseFor(settings, started.Clients, delta);
        return new RunFacts
        {
            Run = started.Run,
            Instance = File.Exists(folder.Instance) ? File.ReadAllText(folder.Instance) : "",
            Folder = folder,
            Settings = settings,
            Data = settings.Data.Directory.Length > 0 ? Path.GetFileName(settings.Data.Directory) : $"{settings.Data.Synthesis!.Flavour}, synthesised".ToLowerInvariant(),
            Clients = started.Clients,
            Delta = delta,
            NoiseMultiplier = noise,
        };
    }

    /// <summary>
    /// The budget that rounds are paid from, and how many rounds of this run it bears in all. Takes up to some seconds where
    /// rounds are sampled.
    /// </summary>
    public BudgetBought Budget()
    {
        var privacy = Settings.Privacy;
        if (!SharedLedger)
            return new BudgetBought(privacy.Epsilon, Affordable(privacy.Adjacency, privacy.Epsilon, Delta, Charges.All.Length, []));
        var journal = LedgerFiles.JournalIn(privacy.Ledger);
        if (!File.Exists(journal))
            return new BudgetBought(privacy.LedgerEpsilon ?? privacy.Epsilon, null);
        var books = LedgerJournal.Read(journal);
        var own = RunCoordinatorActor.ChargesOf(Run, Instance);
        var others = books.Charges.Where(c => !c.Key.StartsWith(own, StringComparison.Ordinal)).Select(c => c.Value);
        var spent = (books.History with { Events = [.. others] }).Grouped().Events;
        return new BudgetBought(books.Budget!.Epsilon, Affordable(books.Budget.Adjacency, books.Budget.Epsilon, books.Budget.Delta, 0, spent));
    }

    /// <param name="known">Charges that are known to fit.</param>
    /// <returns>Rounds; null where rounds are not what is paid for, or cost nothing.</returns>
    private int? Affordable(Adjacency adjacency, double epsilon, double delta, int known, IReadOnlyCollection<PrivacyEvent> spent)
    {
        var charges = Charges.All;
        if (Rounds == 0 || charges.IsEmpty || !double.IsFinite(epsilon))
            return null;
        var roundsACharge = (Rounds + charges.Length - 1) / charges.Length;
        return roundsACharge * RoundSearch.Affordable(charges[0].Event, adjacency, epsilon, delta, known, spent: spent);
    }
}

/// <param name="Epsilon">The most that may be spent.</param>
/// <param name="Rounds">How many rounds of the run that bears in all; null where it is not known yet.</param>
public sealed record BudgetBought(double Epsilon, int? Rounds);
