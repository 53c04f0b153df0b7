using Akka.Actor;
using Akka.Configuration;
using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Microsoft.Data.Sqlite;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Tests.Support;

/// <summary>A run's journal, seen and cut from outside.</summary>
internal static class Journal
{
    /// <summary>Takes the run's last events away, as if it had crashed before they were written.</summary>
    /// <param name="events">How many are left.</param>
    public static void Cut(RunFolder folder, int events) => Execute(
        folder, $"DELETE FROM journal WHERE persistence_id = 'run' AND sequence_number > {events}");

    /// <summary>From an event of a persistent actor on, nothing can be written any more, as to a disk that is read-only.</summary>
    public static void MakeReadOnly(RunFolder folder, string persistenceId, int from) => Execute(
        folder,
        $"CREATE TRIGGER readonly BEFORE INSERT ON journal WHEN NEW.persistence_id = '{persistenceId}' AND NEW.sequence_number >= {from} BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END");

    public static void MakeWritable(RunFolder folder) => Execute(folder, "DROP TRIGGER readonly");

    /// <summary>Manifests of the events of a persistent actor, in order.</summary>
    public static string[] Manifests(RunFolder folder, string persistenceId)
    {
        using var connection = Open(folder);
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT manifest FROM journal WHERE persistence_id = '{persistenceId}' ORDER BY sequence_number";
        using var reader = command.ExecuteReader();
        var manifests = new List<string>();
        while (reader.Read())
            manifests.Add(reader.GetString(0));
        return [.. manifests];
    }

    /// <summary>Replays the ledger of a run that is not running through a fresh ledger actor.</summary>
    public static async Task<PrivacySpend> SpendAsync(RunContext context)
    {
        var config = ConfigurationFactory.ParseString(
            $$"""
            akka.actor.provider = local
            akka.loglevel = OFF
            akka.stdout-loglevel = OFF
            akka.persistence.journal.sql.connection-string = "Data Source={{context.Folder.Journal}};Pooling=False"
            akka.persistence.snapshot-store.sql.connection-string = "Data Source={{context.Folder.Journal}};Pooling=False"
            """).WithFallback(HoconFiles.Embedded("cluster.conf"));
        using var system = ActorSystem.Create("reader", config);
        var ledger = system.ActorOf(LedgerActor.Props("ledger"));
        var ready = await ledger.Ask<LedgerReady>(
            new OpenLedger(context.Settings.Privacy.BudgetFor(context.Delta), context.Corpus.Sha256), TimeSpan.FromSeconds(30));
        await system.Terminate();
        return ready.Spend;
    }

    private static void Execute(RunFolder folder, string sql)
    {
        using var connection = Open(folder);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static SqliteConnection Open(RunFolder folder)
    {
        var connection = new SqliteConnection($"Data Source={folder.Journal};Pooling=False");
        connection.Open();
        return connection;
    }
}
