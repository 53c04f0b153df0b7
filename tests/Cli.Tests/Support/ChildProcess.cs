using System.Diagnostics;

namespace Chorus.Cli.Tests.Support;

/// <summary>A real <c>chorus</c> (or another program) as a child process, with its lines as they come.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    /// <summary>Generous: a loaded machine of two cores, and failure detectors that wait for seconds by design.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(75);

    private readonly Process _process;
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly SemaphoreSlim _news = new(0);

    private ChildProcess(ProcessStartInfo start)
    {
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Take(_errors, line.Data);
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public string Output => Joined(_output);

    public string Errors => Joined(_errors);

    /// <summary>The program and first argument that run this build's chorus.</summary>
    public static string[] ChorusCommand { get; } =
        [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", System.IO.Path.Combine(AppContext.BaseDirectory, "chorus.dll")];

    public static ChildProcess Chorus(TestFolder folder, params string[] arguments) =>
        Start(folder, ChorusCommand[0], [.. ChorusCommand[1..], .. arguments]);

    public static ChildProcess Start(TestFolder folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder.Path,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["CHORUS_CACHE"] = folder.Cache;
        start.Environment["CHORUS_BIN"] = System.IO.Path.Combine(AppContext.BaseDirectory, "chorus");
        start.Environment["TMPDIR"] = folder.Temporary;
        start.Environment.Remove("CHORUS_LOG");
        return new ChildProcess(start);
    }

    /// <summary>The first line of standard output, past or to come, that holds a text.</summary>
    public async Task<string> LineAsync(string text)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (true)
        {
            lock (_output)
            {
                if (_output.Find(line => line.Contains(text, StringComparison.Ordinal)) is { } found)
                    return found;
            }

            try
            {
                if (_process.HasExited && !await _news.WaitAsync(TimeSpan.FromSeconds(1), deadline.Token))
                    throw new InvalidOperationException($"it ended without saying \"{text}\"{Said}");
                await _news.WaitAsync(TimeSpan.FromSeconds(1), deadline.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"it never said \"{text}\"{Said}");
            }
        }
    }

    /// <summary>Waits for its end; gives the exit code.</summary>
    public async Task<int> ExitAsync(TimeSpan? within = null)
    {
        using var deadline = new CancellationTokenSource(within ?? Deadline);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"it did not end{Said}");
        }

        return _process.ExitCode;
    }

    /// <summary>Kills it as kill -9 does: nothing of it gets to run any more.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Asks it to end, as a service manager does.</summary>
    public async Task TerminateAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _news.Dispose();
    }

    private string Said => $":{Environment.NewLine}{Output}{Environment.NewLine}{Errors}";

    private static string Joined(List<string> lines)
    {
        lock (lines)
            return string.Join(Environment.NewLine, lines);
    }

    private void Take(List<string> lines, string? line)
    {
        if (line is null)
            return;
        lock (lines)
            lines.Add(line);
        try
        {
            _news.Release();
        }
        catch (ObjectDisposedException)
        {
            // A last line of a process that nobody listens to any more.
        }
    }
}
