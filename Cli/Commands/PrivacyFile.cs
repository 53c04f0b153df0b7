using Chorus.Actors.Journals;
using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;

namespace Chorus.Cli.Commands;

/// <summary>Finds a privacy history by where it is kept.</summary>
internal static class PrivacyFile
{
    /// <param name="source">A run's folder, a shared ledger's folder, or a file of <see cref="PrivacyHistory.ToJson"/>.</param>
    /// <returns>The history, and the delta that a ledger counts at.</returns>
    /// <exception cref="SettingsException">There is none; the message says what was looked for.</exception>
    public static (PrivacyHistory History, double? Delta) Find(string source)
    {
        if (File.Exists(source))
        {
            try
            {
                return (PrivacyHistory.FromJson(File.ReadAllText(source)), null);
            }
            catch (FormatException e)
            {
                throw new SettingsException($"{source}: {e.Message}");
            }
        }

        var run = new RunFolder(source);
        RunJournal[] journals = [.. new[] { LedgerFiles.JournalIn(run.Path) }.Concat(SharedLedgerOf(run)).Select(file => new SqliteJournal(file)), RunJournal.In(run)];
        var journal = Array.Find(journals, j => j.Exists())
            ?? throw new SettingsException($"{run.Path} holds no ledger: give a run's folder, a shared ledger's folder, or a privacy history in JSON");
        var state = LedgerJournal.Read(journal);
        return (state.History, state.Budget!.Delta);
    }

    private static IEnumerable<string> SharedLedgerOf(RunFolder run) =>
        File.Exists(run.Settings) && RunSettings.Load(run.Settings).Privacy.Ledger is { Length: > 0 } ledger ? [LedgerFiles.JournalIn(ledger)] : [];
}
