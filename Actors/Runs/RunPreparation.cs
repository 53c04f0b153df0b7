using System.Globalization;
using System.Security.Cryptography;
using Akka.Configuration;
using Chorus.Actors.Embedding;
using Chorus.Actors.Hosting;
using Chorus.Actors.Ledger;
using Chorus.Actors.Settings;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Actors.Runs;

/// <summary>
/// Makes a run ready to start or to go on: opens its data, derives its noise, and claims its folder. Everything that can
/// be wrong is found before the first file is written.
/// </summary>
public static class RunPreparation
{
    /// <summary>Prepares a new run.</summary>
    /// <param name="settings">The resolved settings.</param>
    /// <param name="folder">Where the run is to be; made here, must not hold another run.</param>
    /// <param name="clientsWritten">Told how many clients are synthesised.</param>
    /// <param name="check">Looks at the run before its folder is made, and throws where it must not be.</param>
    /// <exception cref="SettingsException">The folder holds another run, or a setting does not fit the data.</exception>
    public static RunContext New(
        RunSettings settings, string folder, IProgress<int>? clientsWritten, CancellationToken ct, Action<RunContext>? check = null)
    {
        var run = new RunFolder(folder);
        if (File.Exists(run.Settings))
            throw new SettingsException($"{run.Path} holds another run: go on with it by --resume, or choose another --out");
        if (Directory.Exists(run.Path) && Directory.EnumerateFileSystemEntries(run.Path).Any(entry => !run.IsOfStart(entry)))
            throw new SettingsException($"{run.Path} is not empty and holds no run: choose another --out");
        if (File.Exists(run.Path))
            throw new SettingsException($"{run.Path} is a file: choose another --out");
        if (settings.Data.Directory.Length > 0)
            settings = settings.With(("data.directory", settings.Data.Directory)); // in full: a node may be started anywhere
        settings = AvailabilityRunSettings.Resolve(RunCheckpoints.Resolve(RunEncoder.Resolve(settings)));
        if (settings.Data.Synthesis is { } synthesis)
            RunData.Synthesise(synthesis, clientsWritten, ct);
        var context = Open(settings, run, RandomNumberGenerator.GetHexString(16, lowercase: true));
        try
        {
            check?.Invoke(context);
            PrivateFiles.MakeFolder(run.Path); // the journal knows the secret that cohorts are drawn from
            context = context with { Held = run.Hold() };
            RunFolder.WriteText(run.Instance, context.Instance);
            RunFolder.WriteText(run.Settings, settings.Hocon);
            return context;
        }
        catch (Exception e)
        {
            context.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw new SettingsException($"{run.Path} cannot be written: {(e.InnerException ?? e).Message}");
            throw;
        }
    }

    /// <summary>Prepares a run that was begun before, with the settings it was begun with.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="overrides">Settings given again: allowed only where they are those of the run.</param>
    public static RunContext Resume(string folder, (string Name, Config Config)? overrides = null)
    {
        var run = new RunFolder(folder);
        if (!File.Exists(run.Settings))
            throw new SettingsException($"{run.Path} holds no run to resume (no run.conf): leave out --resume to start one");
        var held = run.Hold();
        try
        {
            return Resume(run, overrides) with { Held = held };
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static RunContext Resume(RunFolder run, (string Name, Config Config)? overrides)
    {
        var settings = RunSettings.Load(run.Settings);
        if (overrides is { } given)
        {
            var with = RunSettings.From(("run.conf", HoconFiles.Read(run.Settings)), given);
            if (with.Hocon != settings.Hocon)
                throw new SettingsException($"a run is resumed with its own settings, which {given.Name} would change: leave them out, or start another run");
        }

        return Open(settings, run, File.Exists(run.Instance) ? File.ReadAllText(run.Instance) : "");
    }

    /// <summary>The ledger refuses such a plan too; said before the run's folder is made, it leaves nothing of a run that cannot be.</summary>
    /// <exception cref="BudgetRefusedException">The rounds would together cost more than the budget, or than a shared ledger has left.</exception>
    public static void CheckBudget(RunContext context)
    {
        if (context.Charges.All.IsEmpty)
            return;
        var (cost, budget) = (context.EpsilonAfter(int.MaxValue), context.Settings.Privacy.Epsilon);
        if (!(cost <= budget))
        {
            var (what, fewer) = WhatOf(context);
            throw new BudgetRefusedException(string.Create(
                CultureInfo.InvariantCulture,
                $"the budget refuses this run: {what} with noise multiplier {context.NoiseMultiplier:g} cost epsilon {cost:0.###} at delta {context.Delta:g}, and chorus.privacy.epsilon is {budget:g}; set chorus.privacy.noise-multiplier to auto (or to {Math.Ceiling(RunCharges.NoiseFor(context.Settings, context.Clients, context.Delta) * 1000) / 1000:0.###} or more), {fewer}, or raise the budget"));
        }

        CheckSharedLedger(context);
    }

    // What is left on a shared ledger may be less than this run's own budget.
    private static void CheckSharedLedger(RunContext context)
    {
        if (context.Ledger is not { } ledger || !File.Exists(ledger.Journal))
            return;
        var books = LedgerJournal.Read(ledger.Journal);
        var budget = books.Budget!;
        var history = books.History;
        var after = PrivacyAccountant.Epsilon(history with { Events = history.Events.AddRange(context.Charges.All.Select(c => c.Event)) }, budget.Delta);
        if (after <= budget.Epsilon)
            return;
        var spent = PrivacyAccountant.Epsilon(history, budget.Delta);
        throw new BudgetRefusedException(string.Create(
            CultureInfo.InvariantCulture,
            $"the ledger {ledger.Folder} refuses this run: epsilon {spent:0.####} of {budget.Epsilon:g} is spent at delta {budget.Delta:g}, and with {WhatOf(context).What} more at noise multiplier {context.NoiseMultiplier:0.####} it would be {after:0.####}; {WayOut(context, books)}"));
    }

    /// <summary>What is paid for, in words, and what would make it less.</summary>
    private static (string What, string Fewer) WhatOf(RunContext context) => context.Settings.Method switch
    {
        Method.DpSgd => ($"{context.Settings.DpSgd.Steps} steps", "take fewer steps"),
        Method.DpFtrl => ($"{context.Charges.All.Length} passes over the clients", "run fewer rounds"),
        _ => ($"{context.Settings.Rounds} rounds", "run fewer rounds"),
    };

    private static string WayOut(RunContext context, LedgerState books)
    {
        try
        {
            var noise = RunCharges.NoiseFor(context.Settings, context.Clients, books.Budget!.Delta, books.History.Grouped().Events, books.Budget.Epsilon);
            return string.Create(CultureInfo.InvariantCulture, $"chorus.privacy.noise-multiplier = {Math.Ceiling(noise * 1000) / 1000:0.###} would fit, or fewer rounds");
        }
        catch (ArgumentOutOfRangeException)
        {
            return "no noise would fit: the data's budget is used up";
        }
    }

    private static RunContext Open(RunSettings settings, RunFolder folder, string instance)
    {
        var corpus = RunData.Open(settings.Data);
        try
        {
            var clients = settings.Clients.Limit == 0 ? corpus.Clients.Count : Math.Min(settings.Clients.Limit, corpus.Clients.Count);
            if (settings.Clients.Cohort is FixedSize cohort && cohort.Count > clients)
                throw new SettingsException($"chorus.clients.cohort-size must be at most the number of clients, {clients}, got {cohort.Count}");
            if (settings.Method == Method.DpFtrl && settings.Clients.Cohort is not AllClients)
                throw new SettingsException($"chorus.clients.cohort must be all under dp-ftrl, where clients take turns (chorus.federated.bands), got {settings.Clients.CohortName}");
            if (settings.Method == Method.DpSgd && settings.DpSgd.Batch > clients)
                throw new SettingsException($"chorus.dp-sgd.batch must be at most the number of clients, {clients}, got {settings.DpSgd.Batch}");
            if (corpus.Initial.Length < settings.Popri.Shots)
                throw new SettingsException($"chorus.popri.shots must be at most the number of public texts, {corpus.Initial.Length}, got {settings.Popri.Shots}");
            var trace = settings.Clients.Availability.ReadTrace();
            var delta = settings.Privacy.DeltaFor(clients);
            var noise = settings.Method.SpendsPrivacy() ? settings.Privacy.NoiseMultiplier ?? RunCharges.NoiseFor(settings, clients, delta) : 0;
            var ledger = settings.Privacy.Ledger.Length > 0 ? LedgerFiles.Hold(settings.Privacy.Ledger) : null;
            var sha256 = RunData.Sha256(settings.Hocon);
            var run = string.Create(CultureInfo.InvariantCulture, $"{settings.Name}-{RunData.Sha256(sha256 + corpus.Sha256)[..12]}");
            var context = new RunContext(run, settings, sha256, folder, corpus, clients, noise, delta, instance, ledger) { Trace = trace };
            if (settings.Encoder.Checkpoint.Length > 0)
                _ = context.Encoder; // a checkpoint that is gone or changed is told now, not in the middle of a round
            RunCheckpoints.Check(settings);
            _ = context.Journal.Exists(); // a server that cannot be reached is told now too
            return context;
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }
}
