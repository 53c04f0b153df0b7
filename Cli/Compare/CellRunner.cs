using System.Diagnostics;
using Chorus.Actors.Runs;

namespace Chorus.Cli.Compare;

/// <summary>Runs cells as what they are: <c>chorus simulate</c> in a process of its own, so that one that fails takes nothing with it.</summary>
/// <param name="plan">The comparison.</param>
internal sealed class CellRunner(ComparisonPlan plan)
{
    /// <summary>Where a cell's output goes.</summary>
    public static string LogOf(PlannedCell cell) => $"{cell.Folder}.log";

    /// <summary>The process of a cell.</summary>
    /// <param name="gpu">The only one that it sees; null leaves it those of this process.</param>
    internal ProcessStartInfo StartOf(PlannedCell cell, string? gpu)
    {
        IReadOnlyList<string> arguments = File.Exists(new RunFolder(cell.Folder).Settings) ? ["simulate", "--resume", "--out", cell.Folder] : cell.Arguments(plan.RunFile, cell.Folder);
        var start = new ProcessStartInfo(Program(out var assembly), [.. assembly is null ? [] : new[] { assembly }, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (gpu is not null)
            start.Environment[GpuShares.Variable] = gpu;
        return start;
    }

    /// <summary>Runs a cell from its beginning, or goes on with it.</summary>
    /// <param name="gpu">As in <see cref="StartOf"/>.</param>
    /// <returns>Null, or what went wrong.</returns>
    public async Task<string?> RunAsync(PlannedCell cell, string? gpu, CancellationToken ct)
    {
        var folder = new RunFolder(cell.Folder);
        Directory.CreateDirectory(Path.GetDirectoryName(cell.Folder)!);
        await using var log = new StreamWriter(LogOf(cell), append: true) { AutoFlush = true };
        var writing = new Lock();
        string? last = null;
        using var process = new Process { StartInfo = StartOf(cell, gpu) };
        process.OutputDataReceived += (_, line) => Write(line.Data);
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is { Length: > 0 } said)
                last = said;
            Write(line.Data);
        };
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await process.WaitForExitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true); // a run that is killed goes on from where it was
            await process.WaitForExitAsync(CancellationToken.None);
            throw;
        }

        return process.ExitCode == 0 && folder.IsFinished
            ? null
            : $"exit code {process.ExitCode}, {last ?? "no message"} (all that it said is in {LogOf(cell)})";

        void Write(string? line)
        {
            if (line is null)
                return;
            lock (writing)
                log.WriteLine(line);
        }
    }

    /// <summary>This very program; run by <c>dotnet</c>, its assembly is an argument.</summary>
    private static string Program(out string? assembly)
    {
        var program = Environment.ProcessPath ?? throw new InvalidOperationException("this process does not know its own program");
        assembly = Path.GetFileNameWithoutExtension(program) == "dotnet" ? Path.Combine(AppContext.BaseDirectory, "chorus.dll") : null;
        return program;
    }
}
