using Chorus.Actors.Journals;
using Chorus.Actors.Settings;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Ledger;

/// <summary>Reads a ledger's books from its journal, without an actor system; the run may go on meanwhile.</summary>
public static class LedgerJournal
{
    /// <param name="file">The journal of a run, or of a shared ledger.</param>
    /// <exception cref="SettingsException">The file is no journal, or holds no ledger.</exception>
    public static LedgerState Read(string file) => Read(new SqliteJournal(file));

    /// <param name="journal">The journal of a run, or of a shared ledger.</param>
    /// <exception cref="SettingsException">It is no journal, or holds no ledger.</exception>
    public static LedgerState Read(RunJournal journal)
    {
        ArgumentNullException.ThrowIfNull(journal);
        var state = journal.Read<IEvent>(LedgerFiles.PersistenceId).Aggregate(LedgerState.Empty, (books, e) => books.Apply(e.Event));
        return state.Budget is not null ? state : throw new SettingsException($"{journal.Name} holds no ledger yet: nothing has been charged");
    }
}
