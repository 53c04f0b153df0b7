using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Cli.Monitoring;

namespace Chorus.Cli.Commands.Clusters;

/// <summary><c>chorus cluster health</c>: asks a process with <c>--monitor</c> how it is; for containers, which have no curl.</summary>
internal static class HealthCommand
{
    private static readonly Option<int> Port = new("--port") { Description = "The port that was given to --monitor.", DefaultValueFactory = _ => NodeMonitor.UsualPort };
    private static readonly Option<string> Host = new("--host") { Description = "The address that was given to --monitor-host.", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<bool> Ready = new("--ready") { Description = "Ask whether it is ready, a member of a cluster with a coordinator; else only whether it is alive." };

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var command = new Command("health", "Asks a process that was started with --monitor whether it is well: exit code 0 or 1.") { Port, Host, Ready };
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        var (host, port) = (parsed.GetValue(Host)!, parsed.GetValue(Port));
        if (port is < 1 or > 65535)
            throw new SettingsException($"--port must be in [1, 65535], got {port}");
        if (Uri.CheckHostName(host) == UriHostNameType.Unknown)
            throw new SettingsException($"--host: \"{host}\" is neither a host's name nor an IP address");
        using var client = new HttpClient { Timeout = Patience };
        try
        {
            using var answer = await client.GetAsync(new UriBuilder("http", host, port, parsed.GetValue(Ready) ? "ready" : "health").Uri, ct);
            parsed.InvocationConfiguration.Output.WriteLine((await answer.Content.ReadAsStringAsync(ct)).TrimEnd());
            return answer.IsSuccessStatusCode ? ExitCode.Done : ExitCode.Failed;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
        {
            throw new IOException($"no answer from {host}:{port}: was the process started with --monitor {port}? ({e.Message})");
        }
    }
}
