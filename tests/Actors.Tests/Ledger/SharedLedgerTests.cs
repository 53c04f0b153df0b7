using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Actors.Tests.Ledger;

/// <summary>Runs on one data set that pay from one budget.</summary>
[Collection("whole runs")]
public sealed class SharedLedgerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SharedLedgerTests() => TinyCorpus.Write(_folder.In("data"), TestRun.Clients);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_a_budget_for_two_runs_When_three_are_run_Then_the_third_is_refused_before_it_asks_a_client()
    {
        // Each costs epsilon 2; together two of them cost less than 3.5, three of them more.
        Assert.Equal(RunOutcome.Done, (await RunAsync("one", "ledger-epsilon = 3.5")).Outcome);
        Assert.Equal(RunOutcome.Done, (await RunAsync("two", "ledger-epsilon = auto")).Outcome);
        var third = await RunAsync("three", "ledger-epsilon = auto");
        Assert.Equal(RunOutcome.BudgetRefused, third.Outcome);
        Assert.Contains("epsilon", third.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder.In("three"), "rounds")));

        // Asked before, it leaves no folder either, and says what noise would fit.
        var e = Assert.Throws<BudgetRefusedException>(() => Prepare("four", "ledger-epsilon = auto", RunPreparation.CheckBudget));
        Assert.Contains("would fit", e.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.In("four")));

        // The two had the same settings, data and seed, and yet each of their rounds is a charge of its own.
        var books = LedgerJournal.Read(LedgerFiles.JournalIn(_folder.In("ledger")));
        Assert.Equal(4, books.Charges.Count);
        var spent = PrivacyAccountant.Epsilon(books.History, books.Budget!.Delta);
        Assert.InRange(spent, 2, 3.5);
        Assert.Contains("\"ledger_epsilon\"", File.ReadAllText(Path.Combine(_folder.In("two"), "result.json")), StringComparison.Ordinal);
        Assert.Equal(3.5, books.Budget.Epsilon);
    }

    [Fact]
    public void Given_a_ledger_in_use_When_another_run_wants_it_Then_it_is_told_to_wait_and_leaves_nothing_behind()
    {
        using (Prepare("one", "ledger-epsilon = 5"))
        {
            var e = Assert.Throws<SettingsException>(() => Prepare("two", "ledger-epsilon = 5"));
            Assert.Contains("wait until that ends", e.Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists(_folder.In("two")));
        }

        Prepare("two", "ledger-epsilon = 5").Dispose();
    }

    [Fact]
    public async Task Given_a_ledger_of_another_adjacency_or_budget_When_a_run_wants_it_Then_it_is_refused_with_what_to_change()
    {
        Assert.Equal(RunOutcome.Done, (await RunAsync("one", "ledger-epsilon = 9")).Outcome);
        var adjacency = await RunAsync("two", "ledger-epsilon = auto, adjacency = replace-one");
        Assert.Equal(RunOutcome.BadInput, adjacency.Outcome);
        Assert.Contains("chorus.privacy.adjacency", adjacency.Message, StringComparison.Ordinal);
        Assert.Contains("another budget", (await RunAsync("three", "ledger-epsilon = 10")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_file_that_is_no_ledger_When_read_Then_it_is_named()
    {
        File.WriteAllText(_folder.In("no.db"), "not a database at all, but long enough to look at");
        Assert.Contains("no.db", Assert.Throws<SettingsException>(() => LedgerJournal.Read(_folder.In("no.db"))).Message, StringComparison.Ordinal);
    }

    private async Task<RunProtocol.RunEnded> RunAsync(string name, string privacy)
    {
        using var context = Prepare(name, privacy);
        return (await new TestRun().RunAsync(context))!;
    }

    private RunContext Prepare(string name, string privacy, Action<RunContext>? check = null) => RunPreparation.New(
        TestRun.Settings(
            _folder.In("data"),
            $$"""
            chorus.evaluation { downstream = off, distances = off }
            chorus.privacy { epsilon = 2, ledger = "{{_folder.In("ledger")}}", {{privacy}} }
            """),
        _folder.In(name), null, CancellationToken.None, check);
}
