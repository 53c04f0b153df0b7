using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Actors.Watch;

namespace Chorus.Actors.Tests.Journals;

/// <summary>Runs whose journal is on a real server.</summary>
[Collection("whole runs")]
public sealed class PostgresJournalTests(ReferenceRun reference, PostgresJournalTests.Server server) : IClassFixture<PostgresJournalTests.Server>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private PostgresServer Postgres => server.Started.Value;

    public void Dispose() => _folder.Dispose();

    // Two runs of the same settings and data share the server; the second begins while the first is half done.
    [PostgresFact]
    public async Task Given_two_runs_on_a_server_When_each_is_stopped_and_resumed_Then_both_are_as_on_SQLite_and_neither_saw_the_other()
    {
        foreach (var run in new[] { "one", "two" })
        {
            using var context = New(run);
            Assert.Null(await new TestRun { StopAt = p => p is { Stage: "feedback", Done: > 0 } }.RunAsync(context));
        }

        foreach (var run in new[] { "one", "two" })
        {
            using var context = RunPreparation.Resume(_folder.In(run));
            var ended = await new TestRun().RunAsync(context);
            Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
            Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
            Assert.Equal(2, LedgerJournal.Read(context.Journal).History.Events.Length);
            var history = RunHistory.Read(context.Folder);
            Assert.Equal(2, history.State.Rounds.Length);
            Assert.Equal(reference.Releases, history.State.Rounds.Select(r => r.Release!.Sha256));
            Assert.False(File.Exists(context.Folder.Journal));
        }

        Assert.All(Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories), f => Assert.DoesNotContain(Postgres.Password, File.ReadAllText(f), StringComparison.Ordinal));
    }

    [PostgresFact]
    public async Task Given_a_server_that_goes_down_in_a_round_When_it_is_up_again_Then_the_run_goes_on_and_nothing_is_paid_twice()
    {
        using (var context = New("run"))
        {
            var stopped = 0;
            var ended = await new TestRun
            {
                OnProgress = (_, progress) =>
                {
                    if (progress.Stage == "feedback" && Interlocked.Exchange(ref stopped, 1) == 0)
                        Postgres.Stop();
                },
            }.RunAsync(context);
            Assert.Equal(RunOutcome.Failed, ended!.Outcome);
            Assert.Contains("--resume", ended.Message, StringComparison.Ordinal);
            Assert.Contains("the journal in database postgres at 127.0.0.1", ended.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(Postgres.Password, ended.Message, StringComparison.Ordinal);
        }

        var e = Assert.Throws<SettingsException>(() => RunPreparation.Resume(_folder.In("run")));
        Assert.Contains("cannot be reached", e.Message, StringComparison.Ordinal);
        Postgres.Start();
        using (var context = RunPreparation.Resume(_folder.In("run")))
        {
            var ended = await new TestRun().RunAsync(context);
            Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
            Assert.Equal(reference.Releases, ReferenceRun.ReleasesOf(context.Folder));
            Assert.Equal(2, LedgerJournal.Read(context.Journal).History.Events.Length);
        }
    }

    [PostgresFact]
    public void Given_no_password_or_no_server_When_a_run_is_started_Then_it_is_told_what_to_do_and_leaves_nothing()
    {
        foreach (var connection in new[] { $"{Postgres.ConnectionWithoutPassword};Passfile=/no/such/file", "Host=127.0.0.1;Port=1;Username=chorus" })
        {
            var e = Assert.Throws<SettingsException>(() => New("run", connection));
            Assert.Contains("cannot be reached", e.Message, StringComparison.Ordinal);
            Assert.Contains("Passfile=FILE", e.Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists(_folder.In("run")));
        }
    }

    private RunContext New(string name, string? connection = null) => RunPreparation.New(
        TestRun.Settings(reference.Data, $"chorus.journal {{ kind = postgresql, connection = \"{connection ?? Postgres.Connection}\" }}"), _folder.In(name), null, CancellationToken.None);

    /// <summary>Started by the first test that is not skipped.</summary>
    public sealed class Server : IDisposable
    {
        internal Lazy<PostgresServer> Started { get; } = new(() => new PostgresServer());

        public void Dispose()
        {
            if (Started.IsValueCreated)
                Started.Value.Dispose();
        }
    }
}
