using Akka.Actor;
using Akka.Dispatch;
using Akka.Event;

namespace Chorus.Actors.Hosting;

/// <summary>
/// A node's log, for people: one line on standard error for what Chorus itself says. What Akka says about its transport
/// and its cluster (a peer that is not up yet, one that just went) is shown at the levels INFO and DEBUG only: Chorus tells
/// what it means for the run in words of its own.
/// </summary>
public sealed class NodeLog : UntypedActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    /// <summary>Whether an event is for people at this log level.</summary>
    /// <param name="ending">The node is shutting down: what Akka's actors then miss of it, nobody needs to know.</param>
    internal static bool Shows(LogEvent happened, LogLevel level, bool ending) =>
        happened.LogLevel() >= level
        && (level < LogLevel.WarningLevel || happened.LogClass?.Namespace?.StartsWith("Chorus.", StringComparison.Ordinal) == true
            || (happened is Error error && !ending && !IsOfPeers(error)));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case InitializeLogger:
                Sender.Tell(new LoggerInitialized());
                break;
            case LogEvent happened:
                var level = Logging.LogLevelFor(Context.System.Settings.LogLevel);
                if (Shows(happened, level, CoordinatedShutdown.Get(Context.System).ShutdownReason is not null))
                    Console.Error.WriteLine(Line(happened, level));
                break;
        }
    }

    private static string Line(LogEvent happened, LogLevel level)
    {
        var name = happened.LogLevel().ToString().Replace("Level", "", StringComparison.Ordinal).ToLowerInvariant();
        var source = level < LogLevel.WarningLevel ? $" {happened.LogSource}:" : "";
        var cause = happened.Cause is { } e ? $"{Environment.NewLine}{e}" : "";
        return $"chorus: {name}:{source} {happened.Message}{cause}";
    }

    /// <summary>Connections break when a peer ends; the cluster finds out by itself.</summary>
    private static bool IsOfPeers(Error error) =>
        error.LogClass?.Namespace?.StartsWith("Akka.Remote", StringComparison.Ordinal) == true
        || error.Cause?.GetType().Namespace?.StartsWith("Akka.Remote", StringComparison.Ordinal) == true;
}
