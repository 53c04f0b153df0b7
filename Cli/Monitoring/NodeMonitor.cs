using System.CommandLine;
using System.Net.Sockets;
using Chorus.Actors.Hosting;
using Chorus.Actors.Membership;
using Chorus.Actors.Settings;

namespace Chorus.Cli.Monitoring;

/// <summary>
/// What watches over this process, where it is asked for: health, readiness and Prometheus' metrics on a port
/// (<c>--monitor</c>), metrics and traces sent to an OpenTelemetry collector (<c>--otlp</c>).
/// </summary>
internal sealed class NodeMonitor : IAsyncDisposable
{
    /// <summary>Where Prometheus looks for an exporter of OpenTelemetry by custom.</summary>
    public const int UsualPort = 9464;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static readonly Option<int?> Port = new("--monitor")
    {
        Description = $"Serve /health, /ready and /metrics (Prometheus) on this port (default: {UsualPort}; 0 takes a free one).",
        HelpName = "PORT",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Host = new("--monitor-host") { Description = "The address that they are served on; default: 127.0.0.1, this machine alone.", HelpName = "HOST" };

    private static readonly Option<string?> Otlp = new("--otlp")
    {
        Description = "Send metrics and traces to an OpenTelemetry collector at this address, such as http://127.0.0.1:4318; OTEL_* variables say more (OTEL_EXPORTER_OTLP_PROTOCOL=grpc, say).",
        HelpName = "URL",
    };

    private readonly Telemetry _telemetry;
    private readonly MonitorServer? _server;
    private volatile ChorusNode? _node;

    private NodeMonitor(Telemetry telemetry, MonitorServer? server)
    {
        (_telemetry, _server) = (telemetry, server);
        server?.Serve(() => _node is { } node ? NodeHealth.OfAsync(node.System, Patience) : Task.FromResult(NodeHealth.BetweenNodes));
    }

    public static void AddTo(Command command)
    {
        foreach (var option in new Option[] { Port, Host, Otlp })
            command.Options.Add(option);
    }

    /// <summary>Starts what is asked for, before anything else is: a port that is taken or an address that is none stops the command.</summary>
    public static async Task<NodeMonitor> StartAsync(ParseResult parsed, NodeFile? file = null)
    {
        var asked = MemberOptions.Given(parsed, Port);
        var port = asked ? parsed.GetValue(Port) ?? UsualPort : file?.Monitor;
        var host = parsed.GetValue(Host) ?? file?.MonitorHost;
        if (port is null && host is not null)
            throw new SettingsException("--monitor-host goes with --monitor");
        var telemetry = Telemetry.Start((parsed.GetValue(Otlp) ?? file?.Otlp) is { } otlp ? CollectorOf(otlp) : null, prometheus: port is not null);
        if (port is null)
            return new NodeMonitor(telemetry, null);
        try
        {
            var server = await MonitorServer.StartAsync(host ?? "127.0.0.1", port.Value, telemetry);
            parsed.InvocationConfiguration.Output.WriteLine($"monitor: {server.Address}health, ready, metrics");
            return new NodeMonitor(telemetry, server);
        }
        catch (Exception e) when (e.GetBaseException() is SocketException socket)
        {
            telemetry.Dispose();
            throw new SettingsException(socket.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? $"port {port} is in use on {host ?? "127.0.0.1"}: stop what holds it or choose another with --monitor PORT (0 takes a free one)"
                : $"the monitor cannot be served on {host ?? "127.0.0.1"}:{port}: {socket.Message}");
        }
    }

    /// <summary>From now on this node is the one that is asked about.</summary>
    public void Watch(ChorusNode? node) => _node = node;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _telemetry.Dispose();
    }

    private static Uri CollectorOf(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0
            ? uri
            : throw new SettingsException("--otlp takes the address of a collector, such as http://127.0.0.1:4318 (what it wants in headers, a key say, goes into OTEL_EXPORTER_OTLP_HEADERS)");
}
