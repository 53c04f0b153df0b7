namespace Chorus.Cli.Tests.Support;

/// <summary>What the tests of this assembly share: a folder, and the tiny run in one process, made once.</summary>
public sealed class CliFixture : IAsyncLifetime
{
    private readonly Lazy<Task<FinishedRun>> _undisturbed;

    public CliFixture() => _undisturbed = new Lazy<Task<FinishedRun>>(RunAsync);

    public TestFolder Folder { get; } = new();

    /// <summary>What every disturbed or distributed run must equal.</summary>
    public Task<FinishedRun> UndisturbedAsync() => _undisturbed.Value;

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        Folder.Dispose();
        return Task.CompletedTask;
    }

    private async Task<FinishedRun> RunAsync()
    {
        var folder = Folder.Fresh("undisturbed");
        await using var chorus = ChildProcess.Chorus(Folder, "simulate", "--run", Folder.TinyRun, "--out", folder, "--diagnostics");
        return new FinishedRun(folder, await chorus.ExitAsync(), chorus.Output, chorus.Errors);
    }
}

/// <summary>A run that ended.</summary>
public sealed record FinishedRun(string Folder, int ExitCode, string Output, string Errors);

/// <summary>Every test class is in it: one after the other, as each starts processes that want the cores.</summary>
[CollectionDefinition(Name)]
public sealed class CliCollection : ICollectionFixture<CliFixture>
{
    public const string Name = "cli";
}
