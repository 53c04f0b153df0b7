using System.Threading.Channels;
using Akka.Actor;
using Chorus.Actors.Runs;
using Spectre.Console;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Cli.Progress;

/// <summary>Shows a run to a person: bars on a terminal, plain lines elsewhere.</summary>
internal abstract class RunProgressView : IAsyncDisposable
{
    public static RunProgressView Create() =>
        Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Ansi ? new PlainProgressView() : new BarProgressView();

    /// <summary>One line that stays.</summary>
    public abstract void Say(string line);

    /// <summary>A bar (or lines) for a step; a length of 0 is unknown, and then what is done is said.</summary>
    public IProgress<int> Counter(string name, int total) => new Counting(this, name, total);

    /// <summary>Nothing more comes; may be called again.</summary>
    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Shows the run until it ends, and gives the exit code that its outcome means.</summary>
    public async Task<int> FollowAsync(ActorSystem system, RunContext context, CancellationToken ct)
    {
        var events = Channel.CreateUnbounded<object>();
        var listener = system.ActorOf(Props.Create(() => new Listener(events.Writer)), "progress");
        system.EventStream.Subscribe(listener, typeof(RunProgress));
        system.EventStream.Subscribe(listener, typeof(RoundReported));
        system.EventStream.Subscribe(listener, typeof(RunEnded));
        _ = system.WhenTerminated.ContinueWith(_ => events.Writer.TryComplete(), TaskScheduler.Default);
        await foreach (var message in events.Reader.ReadAllAsync(ct))
        {
            switch (message)
            {
                case RunProgress p:
                    var round = p.Stage is "generate" or "feedback" or "tune" or "evaluate" ? $"round {Math.Max(1, p.Round)}/{context.Settings.Rounds} " : "";
                    Step(round + p.Stage, p.Done, p.Total, p.Detail);
                    break;
                case RoundReported r:
                    Say(FormattableString.Invariant($"round {r.Round}/{context.Settings.Rounds}: {r.ClientsCounted:N0} clients, {(r.Fid is { } fid ? FormattableString.Invariant($"FID {fid:0.####}, ") : "")}epsilon {r.Epsilon:0.###}, release {r.ReleaseSha256[..12]}"));
                    break;
                case RunEnded ended:
                    await DisposeAsync();
                    (ended.Outcome == RunOutcome.Done ? Console.Out : Console.Error).WriteLine(ended.Outcome == RunOutcome.Done ? ended.Message : $"chorus: {ended.Message}");
                    return ended.Outcome switch
                    {
                        RunOutcome.Done => ExitCode.Done,
                        RunOutcome.BadInput => ExitCode.BadInput,
                        RunOutcome.BudgetRefused => ExitCode.BudgetRefused,
                        _ => ExitCode.Failed,
                    };
            }
        }

        // The cluster put this node out (a network that came apart, say), and with it the run.
        await DisposeAsync();
        Console.Error.WriteLine($"chorus: this node was removed from its cluster; nothing was lost, go on with --resume --out {context.Folder.Path}");
        return ExitCode.Failed;
    }

    /// <summary>A step is so far; a total of 0 is unknown.</summary>
    protected abstract void Step(string name, long done, long total, string detail);

    private sealed class Counting(RunProgressView view, string name, int total) : IProgress<int>
    {
        public void Report(int value) => view.Step(name, value, total, total > 0 ? "" : FormattableString.Invariant($"{value:N0}"));
    }

    private sealed class Listener : UntypedActor
    {
        private readonly ChannelWriter<object> _events;

        public Listener(ChannelWriter<object> events) => _events = events;

        protected override void OnReceive(object message) => _events.TryWrite(message);
    }
}
