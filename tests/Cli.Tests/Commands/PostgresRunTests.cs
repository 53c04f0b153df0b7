using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

/// <summary>The commands that read a run, over one whose journal is on a PostgreSQL server.</summary>
[Collection(CliCollection.Name)]
public sealed class PostgresRunTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [PostgresFact]
    public async Task Given_a_run_on_a_server_When_its_history_and_its_page_are_asked_for_Then_they_are_those_of_the_run_and_no_password_is_told()
    {
        using var server = new PostgresServer();
        var output = _folder.Fresh("postgres");
        await using var run = ChildProcess.Chorus(
            _folder, "simulate", "--run", _folder.TinyRun, "--out", output, "--diagnostics", "--set", "journal.kind=postgresql", "--set", $"journal.connection={server.Connection}");
        Assert.True(await run.ExitAsync() == ExitCode.Done, run.Errors);
        var (expected, found) = (RunResultView.Of((await shared.UndisturbedAsync()).Folder), RunResultView.Of(output));
        Assert.Equal(expected.Releases, found.Releases);
        Assert.Equal(expected.Epsilon, found.Epsilon);
        Assert.False(File.Exists(Path.Combine(output, "journal.db")));

        await using var history = ChildProcess.Chorus(_folder, "account", "history", output);
        Assert.True(await history.ExitAsync() == ExitCode.Done, history.Errors);
        await using var sqlite = ChildProcess.Chorus(_folder, "account", "history", (await shared.UndisturbedAsync()).Folder);
        Assert.Equal(ExitCode.Done, await sqlite.ExitAsync());
        Assert.Equal(sqlite.Output, history.Output);

        await using var page = ChildProcess.Chorus(_folder, "dashboard", output, "--port", "0");
        using var client = new HttpClient { BaseAddress = new Uri((await page.LineAsync("page: ")).Split(' ')[1]) };
        var shown = await client.GetStringAsync("/");
        foreach (var release in found.Releases)
            Assert.Contains(release[..12], shown, StringComparison.Ordinal);

        foreach (var said in new[] { run, history, page })
            Assert.DoesNotContain(server.Password, said.Output + said.Errors, StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(output, "*", SearchOption.AllDirectories), f => Assert.DoesNotContain(server.Password, File.ReadAllText(f), StringComparison.Ordinal));
    }
}
