using System.CommandLine;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;

namespace Chorus.Cli;

/// <summary>
/// Ctrl-C and a service manager's SIGTERM, from the command's first instruction on: the command is asked to end; when it has
/// not after a while, or is told again, the process ends without it. A command that cannot be asked ends at once, as by default.
/// </summary>
internal sealed class Termination : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly CancellationTokenSource _asked = new();
    private readonly PosixSignalRegistration[] _signals = [];

    private Termination(bool canBeAsked)
    {
        if (canBeAsked)
            _signals = [PosixSignalRegistration.Create(PosixSignal.SIGINT, End), PosixSignalRegistration.Create(PosixSignal.SIGTERM, End)];
    }

    /// <summary>Cancelled when the command is asked to end.</summary>
    public CancellationToken Asked => _asked.Token;

    public static Termination Of(ParseResult parsed) => new(parsed.CommandResult.Command.Action is AsynchronousCommandLineAction);

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
    }

    private void End(PosixSignalContext context)
    {
        var code = 128 + (context.Signal == PosixSignal.SIGINT ? 2 : 15);
        context.Cancel = true;
        if (_asked.IsCancellationRequested)
            Environment.Exit(code);
        _ = Task.Delay(Patience).ContinueWith(_ => Environment.Exit(code), TaskScheduler.Default);
        _asked.Cancel();
    }
}
