using System.Collections.Immutable;
using System.Text;
using Akka.Event;
using Chorus.Actors.Clients;
using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Runs;

/// <summary>Private text never leaves its client actor: every private text holds a word that nothing else may hold.</summary>
[Collection("whole runs")]
public sealed class CanaryTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_private_texts_with_a_canary_When_a_run_is_over_Then_no_file_no_log_line_and_no_frame_holds_it()
    {
        Assert.Contains(TinyCorpus.Canary, File.ReadAllText(Path.Combine(reference.Data, "train_clients.json")), StringComparison.Ordinal);
        var (leaks, frames, lines) = await RunAsync(new TestRun { Nodes = 3 });

        Assert.Empty(leaks);
        // What was looked through is what it should be: votes were asked for and answered over the wire, and logged.
        Assert.Contains(frames, f => f.Contains("collector/partial/2", StringComparison.Ordinal));
        Assert.Contains(frames, f => f.Contains("block/vote/2", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Contains("PartialSum", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Given_a_leak_in_a_file_in_a_log_line_and_in_a_message_When_looked_for_Then_each_is_found()
    {
        var planted = 0;
        var (leaks, _, _) = await RunAsync(new TestRun
        {
            Nodes = 3,
            Policy = (_, _, _, _) => new StubPolicy { Words = [TinyCorpus.Canary, "rivers", "schools", "farms", "ports", "trains"] },
            OnProgress = (run, progress) =>
            {
                if (progress.Stage != "feedback" || Interlocked.Exchange(ref planted, 1) != 0)
                    return;
                run.System(1).Log.Debug("client 3 says {0}", TinyCorpus.Canary);
                run.Coordinator(1).Tell(new BlockProtocol.BlockFailed("another-run", 1, 0, 1, TinyCorpus.Canary));
            },
        });

        Assert.Contains("rounds/001/candidates.json", leaks);
        Assert.Contains("synthetic.json", leaks);
        Assert.Contains("log", leaks);
        Assert.Contains("wire", leaks);
    }

    private async Task<(ImmutableArray<string> Leaks, string[] Frames, string[] Lines)> RunAsync(TestRun run)
    {
        using var wire = new Wire();
        using var log = new LogSink();
        using var context = RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None);
        var ended = await new TestRun
        {
            Nodes = run.Nodes,
            Policy = run.Policy,
            OnProgress = run.OnProgress,
            Overrides = wire.Hocon + "\n" + log.Hocon,
        }.RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
        context.Dispose(); // its lock is a file too

        var files = Directory.EnumerateFiles(context.Folder.Path, "*", SearchOption.AllDirectories).ToArray();
        Assert.Contains(context.Folder.Journal, files);
        string[] frames = [.. wire.Sent.Select(Encoding.Latin1.GetString)];
        string[] lines = [.. log.Lines];
        return ([
            .. files.Where(f => Holds(File.ReadAllBytes(f))).Select(f => Path.GetRelativePath(context.Folder.Path, f).Replace('\\', '/')),
            .. frames.Any(Holds) ? ["wire"] : Array.Empty<string>(),
            .. lines.Any(Holds) ? ["log"] : Array.Empty<string>(),
        ], frames, lines);
    }

    private static bool Holds(byte[] bytes) => bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(TinyCorpus.Canary)) >= 0;

    private static bool Holds(string text) => text.Contains(TinyCorpus.Canary, StringComparison.OrdinalIgnoreCase);
}
