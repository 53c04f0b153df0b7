using Chorus.Actors.Hosting;
using Npgsql;

namespace Chorus.Actors.Settings;

/// <summary>What keeps a run's events.</summary>
public enum JournalKind
{
    Sqlite,
    PostgreSql,
}

/// <summary>Where a run's events are kept.</summary>
/// <param name="Connection">Npgsql's connection string, without a password; empty for SQLite, which is in the run's folder.</param>
public sealed record JournalSettings(JournalKind Kind, string Connection)
{
    public static JournalSettings Sqlite { get; } = new(JournalKind.Sqlite, "");

    internal static JournalSettings From(SettingsReader read)
    {
        const string at = "journal.connection";
        var connection = read.Text(at);
        if (read.OneOf("journal.kind", "sqlite", "postgresql") == "sqlite")
            return connection.Length == 0 ? Sqlite : throw read.Wrong(at, "empty unless journal.kind is postgresql");
        NpgsqlConnectionStringBuilder server;
        try
        {
            server = new NpgsqlConnectionStringBuilder(connection);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException)
        {
            throw new SettingsException($"chorus.{at} is no connection string of Npgsql: {e.Message}"); // not quoted: it could hold a password
        }

        if (!string.IsNullOrEmpty(server.Password) || !string.IsNullOrEmpty(server.SslPassword))
            throw new SettingsException($"chorus.{at} holds a password, and settings are copied to run.conf: put it into ~/.pgpass, into a file that is named by Passfile=FILE, or into PGPASSWORD");
        if (string.IsNullOrEmpty(server.Host))
            throw read.Wrong(at, "a connection string with a host: \"Host=db.example;Database=chorus;Username=chorus\"");
        if (server.Passfile is { Length: > 0 } file && File.Exists(file) && PrivateFiles.IsOpenToOthers(file))
            throw new SettingsException($"chorus.{at}: {file} can be read by others: chmod 600 it");
        return new JournalSettings(JournalKind.PostgreSql, server.ConnectionString);
    }
}
