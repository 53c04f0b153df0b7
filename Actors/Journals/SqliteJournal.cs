using System.Data.Common;
using Chorus.Actors.Settings;
using Microsoft.Data.Sqlite;

namespace Chorus.Actors.Journals;

/// <summary>A journal in a file: of a run in its folder, or of a ledger that several runs share.</summary>
/// <param name="file">The file.</param>
public sealed class SqliteJournal(string file) : RunJournal
{
    public override string Name => $"the journal {file}";

    public override string Hocon => Stores(Connection);

    /// <summary>Cache=Private and a time-out let writers wait for each other.</summary>
    internal string Connection => $"Data Source={file};Cache=Private;Default Timeout=30";

    /// <summary>A file holds one run.</summary>
    public override string IdOf(string actor) => actor;

    public override bool Exists() => File.Exists(file);

    public override void Prepare()
    {
        try
        {
            using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA journal_mode=WAL";
            command.ExecuteNonQuery();
        }
        catch (SqliteException e)
        {
            throw new SettingsException($"{Name} cannot be written: {e.Message}; is its disk full or read-only? A run can also keep its journal on a server: chorus.journal.kind = postgresql");
        }
    }

    protected override DbConnection Open()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }
}
