using System.Net;
using System.Net.Sockets;
using Chorus.Cli.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Chorus.Cluster.Tests.Chaos;

/// <summary>
/// What all schedules share: a folder, a tiny run whose feedback takes a second, settings that find a lost node within three
/// seconds, and the same run undisturbed in one process.
/// </summary>
public sealed class ChaosLab : IDisposable
{
    private const string Run = """
        chorus {
          name = chaos
          seed = 23
          rounds = 2
          data.synthesize { clients = 1200, initial-texts = 200, eval-clients = 10 }
          clients { block-size = 4, round-deadline = 90s }
          popri { prompts = 4, samples = 4, shots = 1, rejected-rank = 3 }
          privacy { epsilon = 4, reproducible-noise = on }
          encoder.dimension = 64
          policy {
            device = cpu
            threads = 1
            text-tokens = 24
            model { vocabulary = 400, hidden = 32, intermediate = 64, layers = 1, heads = 2, key-value-heads = 1, context = 128 }
            pretraining { steps = 5, warm-up-steps = 1 }
            lora.rank = 4
          }
          synthetic.texts = 20
          evaluation.downstream = off
        }
        """;

    private const string Akka = """
        akka {
          remote.retry-gate-closed-for = 500ms
          cluster {
            gossip-interval = 200ms
            leader-actions-interval = 200ms
            unreachable-nodes-reaper-interval = 200ms
            seed-node-timeout = 1s
            retry-unsuccessful-join-after = 1s
            failure-detector {
              heartbeat-interval = 200ms
              acceptable-heartbeat-pause = 1s
              expected-response-after = 300ms
            }
            split-brain-resolver.stable-after = 1s
            sharding {
              rebalance-interval = 500ms
              coordinator-failure-backoff = 1s
              retry-interval = 500ms
            }
          }
        }
        """;

    private FinishedSummary? _undisturbed;

    public ChaosLab()
    {
        (RunFile, AkkaFile) = (Path.Combine(Folder.Path, "chaos.conf"), Path.Combine(Folder.Path, "akka.conf"));
        File.WriteAllText(RunFile, Run);
        File.WriteAllText(AkkaFile, Akka);
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        Port = ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    public TestFolder Folder { get; } = new();

    public string RunFile { get; }

    public string AkkaFile { get; }

    /// <summary>The coordinator's port on loopback: the same for each of its lives.</summary>
    public int Port { get; }

    /// <summary>The run that nothing happened to, made when it is first asked for.</summary>
    public async Task<FinishedSummary> UndisturbedAsync()
    {
        if (_undisturbed is { } known)
            return known;
        var output = Folder.Fresh("undisturbed");
        await using var chorus = ChildProcess.Chorus(Folder, "simulate", "--run", RunFile, "--out", output);
        var code = await chorus.ExitAsync();
        return code == 0 ? _undisturbed = FinishedSummary.Of(output) : throw new InvalidOperationException($"the undisturbed run failed: {chorus.Errors}");
    }

    public void Dispose() => Folder.Dispose();
}

/// <summary>What must not depend on what happened to a run.</summary>
/// <param name="LedgerEvents">One opens the ledger, one is each charge.</param>
public sealed record FinishedSummary(string Releases, string ClientsCounted, string ClientSets, double Epsilon, long LedgerEvents, string SyntheticSha256)
{
    public static FinishedSummary Of(string folder)
    {
        var result = RunResultView.Of(folder);
        return new FinishedSummary(
            string.Join(' ', result.Releases), string.Join(' ', result.ClientsCounted), string.Join(' ', result.Rounds.Select(r => r.GetProperty("clients_sha256").GetString())),
            result.Epsilon, CountLedgerEvents(folder),
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, "synthetic.json")))));
    }

    private static long CountLedgerEvents(string folder)
    {
        using var journal = new SqliteConnection($"Data Source={Path.Combine(folder, "journal.db")};Mode=ReadOnly;Pooling=False");
        journal.Open();
        using var count = journal.CreateCommand();
        count.CommandText = "SELECT COUNT(*) FROM journal WHERE persistence_id = 'ledger'";
        return (long)count.ExecuteScalar()!;
    }
}
