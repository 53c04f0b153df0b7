using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Runs;

public sealed class RunPreparationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public RunPreparationTests() => TinyCorpus.Write(_folder.In("data"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_a_run_at_work_When_it_is_resumed_beside_Then_it_is_refused_until_the_first_lets_go()
    {
        using (New("run"))
            Assert.Contains("another process is working on", Assert.Throws<SettingsException>(() => RunPreparation.Resume(_folder.In("run"))).Message, StringComparison.Ordinal);
        RunPreparation.Resume(_folder.In("run")).Dispose();
    }

    [Fact]
    public void Given_a_run_that_cannot_be_resumed_When_put_right_Then_the_failed_attempt_does_not_hold_it()
    {
        New("run").Dispose();
        var settings = new RunFolder(_folder.In("run")).Settings;
        var text = File.ReadAllText(settings);
        File.WriteAllText(settings, $"{text}chorus.rounds = 0\n");
        Assert.Throws<SettingsException>(() => RunPreparation.Resume(_folder.In("run")));
        File.WriteAllText(settings, text);
        RunPreparation.Resume(_folder.In("run")).Dispose();
    }

    [Fact]
    public void Given_a_start_that_was_cut_short_before_there_was_a_run_When_started_again_Then_it_starts()
    {
        New("run").Dispose();
        File.Move(new RunFolder(_folder.In("run")).Settings, $"{new RunFolder(_folder.In("run")).Settings}.0.tmp");
        New("run").Dispose();
    }

    [Fact]
    public void Given_a_folder_with_anything_else_When_started_Then_it_is_refused()
    {
        Directory.CreateDirectory(_folder.In("run"));
        File.WriteAllText(Path.Combine(_folder.In("run"), "thesis.txt"), "mine");
        Assert.Contains("not empty", Assert.Throws<SettingsException>(() => New("run")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_new_run_or_ledger_When_its_folder_is_looked_at_Then_only_its_owner_gets_in()
    {
        if (OperatingSystem.IsWindows())
            return;
        using var context = RunPreparation.New(
            TestRun.Settings(_folder.In("data"), $"chorus.privacy {{ ledger = \"{_folder.In("ledger")}\", ledger-epsilon = 9 }}"), _folder.In("run"), null, CancellationToken.None);
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Assert.Equal(owner, File.GetUnixFileMode(_folder.In("run")));
        Assert.Equal(owner, File.GetUnixFileMode(_folder.In("ledger")));
    }

    private RunContext New(string name) => RunPreparation.New(TestRun.Settings(_folder.In("data")), _folder.In(name), null, CancellationToken.None);
}
