using System.Data.Common;
using Chorus.Actors.Settings;
using Npgsql;

namespace Chorus.Actors.Journals;

/// <summary>
/// A journal on a PostgreSQL server, which many runs share: each persists under ids of its own. The connection string has no
/// password; Npgsql takes it from a password file or from the environment, so it is in no setting, no run.conf and no log.
/// </summary>
/// <param name="settings">Where the server is.</param>
/// <param name="instance">What tells the run from the others on it.</param>
public sealed class PostgresJournal(JournalSettings settings, string instance) : RunJournal
{
    private const int ConnectTimeoutSeconds = 10;

    private readonly NpgsqlConnectionStringBuilder _server = new(settings.Connection);

    public override string Name => FormattableString.Invariant($"the journal in database {_server.Database ?? _server.Username} at {_server.Host}:{_server.Port}");

    public override string Hocon => $"{HoconFiles.Text("persistence-postgres.conf")}\n{Stores(settings.Connection)}";

    public override string IdOf(string actor) => $"{instance}/{actor}";

    public override bool Exists()
    {
        try
        {
            using var connection = Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT to_regclass('journal') IS NOT NULL";
            return (bool)command.ExecuteScalar()!;
        }
        catch (Exception e) when (IsOutOfReach(e))
        {
            throw Unreachable(e);
        }
    }

    public override void Prepare() => _ = Exists();

    protected override DbConnection Open()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.Connection) { Pooling = false, Timeout = ConnectTimeoutSeconds }.ToString());
        connection.Open();
        return connection;
    }

    private SettingsException Unreachable(Exception e) => new(
        $"{Name} cannot be reached: {e.Message}; is the server up, does it know user and database (chorus.journal.connection), and is the password in ~/.pgpass, in Passfile=FILE or in PGPASSWORD?");
}
