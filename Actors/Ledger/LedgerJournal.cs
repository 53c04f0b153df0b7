using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Ledger;

/// <summary>Reads a ledger's books from its SQLite journal, without an actor system; the run may go on meanwhile.</summary>
public static class LedgerJournal
{
    /// <param name="file">The journal of a run, or of a shared ledger.</param>
    /// <exception cref="SettingsException">The file is no journal, or holds no ledger.</exception>
    public static LedgerState Read(string file)
    {
        var state = JournalFile.Read<IEvent>(file, LedgerFiles.PersistenceId).Aggregate(LedgerState.Empty, (books, e) => books.Apply(e.Event));
        return state.Budget is not null ? state : throw new SettingsException($"{file} holds no ledger yet: nothing has been charged");
    }
}
