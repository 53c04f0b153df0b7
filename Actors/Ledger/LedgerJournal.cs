using System.Diagnostics.CodeAnalysis;
using Chorus.Actors.Serialization;
using Chorus.Actors.Settings;
using Microsoft.Data.Sqlite;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Ledger;

/// <summary>Reads a ledger's books from its SQLite journal, without an actor system; the run may go on meanwhile.</summary>
public static class LedgerJournal
{
    /// <param name="file">The journal of a run, or of a shared ledger.</param>
    /// <exception cref="SettingsException">The file is no journal, or holds no ledger.</exception>
    [SuppressMessage("Security", "CA2100", Justification = "The statement is fixed.")]
    public static LedgerState Read(string file)
    {
        try
        {
            using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT manifest, message FROM journal WHERE persistence_id = $id ORDER BY sequence_number";
            command.Parameters.AddWithValue("$id", LedgerFiles.PersistenceId);
            using var reader = command.ExecuteReader();
            var state = LedgerState.Empty;
            while (reader.Read())
                state = state.Apply((IEvent)ChorusSerializer.Read(reader.GetFieldValue<byte[]>(1), reader.GetString(0)));
            return state.Budget is not null ? state : throw new SettingsException($"{file} holds no ledger yet: nothing has been charged");
        }
        catch (SqliteException e)
        {
            throw new SettingsException($"{file} cannot be read as a journal: {e.Message}");
        }
    }
}
