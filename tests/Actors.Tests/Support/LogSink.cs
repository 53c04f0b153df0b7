using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Event;

namespace Chorus.Actors.Tests.Support;

/// <summary>Everything that the nodes of a test log, at Akka's most talkative.</summary>
internal sealed class LogSink : IDisposable
{
    private static readonly ConcurrentDictionary<string, LogSink> Sinks = new();

    private readonly string _id = Guid.NewGuid().ToString("n");

    public LogSink() => Sinks[_id] = this;

    public ConcurrentQueue<string> Lines { get; } = [];

    /// <summary>Settings that send a node's log here: each message received, sent, or unhandled is a line.</summary>
    public string Hocon => $$"""
        akka.loglevel = DEBUG
        akka.stdout-loglevel = OFF
        akka.loggers = ["{{typeof(Logger).FullName}}, {{typeof(Logger).Assembly.GetName().Name}}"]
        akka.logger-startup-timeout = 30s
        akka.log-dead-letters = on
        akka.actor.debug { receive = on, autoreceive = on, lifecycle = on, fsm = on, event-stream = on, unhandled = on }
        akka.remote { log-sent-messages = on, log-received-messages = on, log-remote-lifecycle-events = DEBUG }
        chorus-test.log = "{{_id}}"
        """;

    public void Dispose() => Sinks.TryRemove(_id, out _);

    /// <summary>Made by Akka from its name in the settings.</summary>
    public sealed class Logger : ReceiveActor
    {
        public Logger()
        {
            var lines = Sinks[Context.System.Settings.Config.GetString("chorus-test.log")].Lines;
            Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
            Receive<LogEvent>(e => lines.Enqueue($"{e}"));
        }
    }
}
