using System.Diagnostics.CodeAnalysis;
using System.Runtime.Serialization;
using Chorus.Actors.Serialization;
using Chorus.Actors.Settings;
using Microsoft.Data.Sqlite;

namespace Chorus.Actors.Runs;

/// <summary>Reads a SQLite journal from outside, without an actor system; a run that writes it may go on meanwhile.</summary>
public static class JournalFile
{
    /// <param name="file">The journal.</param>
    /// <param name="persistenceId">Whose events.</param>
    /// <returns>The events in their order, each with the time at which it was written.</returns>
    /// <exception cref="SettingsException">The file is no journal.</exception>
    [SuppressMessage("Security", "CA2100", Justification = "The statement is fixed.")]
    public static IReadOnlyList<(T Event, DateTimeOffset At)> Read<T>(string file, string persistenceId)
    {
        try
        {
            using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT manifest, message, created FROM journal WHERE persistence_id = $id ORDER BY sequence_number";
            command.Parameters.AddWithValue("$id", persistenceId);
            using var reader = command.ExecuteReader();
            var events = new List<(T, DateTimeOffset)>();
            while (reader.Read())
                events.Add(((T)ChorusSerializer.Read(reader.GetFieldValue<byte[]>(1), reader.GetString(0)), new DateTimeOffset(reader.GetInt64(2), TimeSpan.Zero)));
            return events;
        }
        catch (Exception e) when (e is SqliteException or SerializationException)
        {
            throw new SettingsException($"{file} cannot be read as a journal: {e.Message}");
        }
    }
}
