using System.Data.Common;
using Chorus.Actors.Settings;
using Microsoft.Data.Sqlite;

namespace Chorus.Actors.Journals;

/// <summary>A journal in a file: of a run in its folder, or of a ledger that several runs share.</summary>
/// <param name="file">The file.</param>
public sealed class SqliteJournal(string file) : RunJournal
{
    /// <summary>Tables, the write-ahead log and its index take so much before the first event; with less, Akka would wait half a minute for a journal that never comes.</summary>
    private const long LeastBytesFree = 1 << 20;

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
            var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
            if (new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(folder)! : folder).AvailableFreeSpace is var free and < LeastBytesFree)
                throw new SettingsException(FormattableString.Invariant($"{Name} cannot be written: its disk is full ({free / 1024} kB are free, and {LeastBytesFree / 1024} are needed); make room, and start or resume again"));
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
