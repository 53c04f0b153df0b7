using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Runtime.Serialization;
using Chorus.Actors.Runs;
using Chorus.Actors.Serialization;
using Chorus.Actors.Settings;

namespace Chorus.Actors.Journals;

/// <summary>Where a run's events are kept: in its folder (SQLite), or on a server (PostgreSQL).</summary>
public abstract class RunJournal
{
    /// <summary>What it is called in messages to people; holds no secret.</summary>
    public abstract string Name { get; }

    /// <summary>Akka's settings of it, over Hocon/cluster.conf; hold no secret.</summary>
    public abstract string Hocon { get; }

    /// <summary>The journal of a run.</summary>
    /// <param name="instance">What tells the run from others on the same server.</param>
    public static RunJournal Of(RunFolder folder, JournalSettings settings, string instance) =>
        settings.Kind == JournalKind.PostgreSql ? new PostgresJournal(settings, instance) : new SqliteJournal(folder.Journal);

    /// <summary>The journal of the run in a folder, as its run.conf says.</summary>
    public static RunJournal In(RunFolder folder) => Of(
        folder, File.Exists(folder.Settings) ? RunSettings.Load(folder.Settings).Journal : JournalSettings.Sqlite,
        File.Exists(folder.Instance) ? File.ReadAllText(folder.Instance) : "");

    /// <summary>The id under which one of the run's actors persists.</summary>
    public abstract string IdOf(string actor);

    /// <summary>Whether anything has been written.</summary>
    /// <exception cref="SettingsException">It cannot be looked at.</exception>
    public abstract bool Exists();

    /// <summary>Makes it ready to be written, before the actor system is started.</summary>
    /// <exception cref="SettingsException">It cannot be; the message says what to put right.</exception>
    public abstract void Prepare();

    /// <summary>Reads the events of one of the run's actors from outside, without an actor system; a run that writes them may go on meanwhile.</summary>
    /// <returns>The events in their order, each with the time at which it was written.</returns>
    /// <exception cref="SettingsException">It is no journal, or cannot be read.</exception>
    [SuppressMessage("Security", "CA2100", Justification = "The statement is fixed.")]
    public IReadOnlyList<(T Event, DateTimeOffset At)> Read<T>(string actor)
    {
        try
        {
            using var connection = Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT manifest, message, created FROM journal WHERE persistence_id = @id ORDER BY sequence_number";
            var id = command.CreateParameter();
            (id.ParameterName, id.Value) = ("id", IdOf(actor));
            command.Parameters.Add(id);
            using var reader = command.ExecuteReader();
            var events = new List<(T, DateTimeOffset)>();
            while (reader.Read())
                events.Add(((T)ChorusSerializer.Read(reader.GetFieldValue<byte[]>(1), reader.GetString(0)), new DateTimeOffset(reader.GetInt64(2), TimeSpan.Zero)));
            return events;
        }
        catch (Exception e) when (IsOutOfReach(e) || e is SerializationException)
        {
            throw new SettingsException($"{Name} cannot be read as a journal: {e.Message}");
        }
    }

    /// <summary>A connection to read by, open.</summary>
    protected abstract DbConnection Open();

    /// <summary>Whether a journal could not be opened or read, or not the file with its password.</summary>
    protected static bool IsOutOfReach(Exception e) => e is DbException or SocketException or TimeoutException or IOException or UnauthorizedAccessException;

    /// <summary>Settings of both of Akka's stores.</summary>
    protected static string Stores(string connection) => $"""
        akka.persistence.journal.sql.connection-string = {Quoted(connection)}
        akka.persistence.snapshot-store.sql.connection-string = {Quoted(connection)}
        """;

    internal static string Quoted(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
