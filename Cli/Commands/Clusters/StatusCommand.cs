using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Chorus.Actors.Hosting.Tls;
using Chorus.Actors.Membership;

namespace Chorus.Cli.Commands.Clusters;

/// <summary><c>chorus cluster status</c>: members, shards, round, phase and budget, from any node.</summary>
internal static class StatusCommand
{
    private static readonly Option<string> Node = new("--node") { Description = "host:port of any node of the cluster.", DefaultValueFactory = _ => "127.0.0.1:4053", HelpName = "HOST:PORT" };
    private static readonly Option<string> Host = new("--host") { Description = "The address that the node reaches this machine by.", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<string?> Tls = new("--tls") { Description = "The folder of this machine's certificate, where the cluster has TLS.", HelpName = "DIR" };
    private static readonly Option<bool> Json = new("--json") { Description = "Machine-readable." };

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly JsonSerializerOptions Layout = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public static Command Create()
    {
        var command = new Command("status", "Shows the members of a running cluster, and the run's round, phase and budget.") { Node, Host, Tls, Json };
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        using var certificate = parsed.GetValue(Tls) is { } folder ? NodeCertificate.Load(folder, TimeProvider.System) : null;
        var status = await ClusterProbe.AskAsync(parsed.GetValue(Node)!, parsed.GetValue(Host)!, certificate, Patience, ct);
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(Json))
            output.WriteLine(JsonSerializer.Serialize(status, Layout));
        else
            Show(output, status);
        return ExitCode.Done;
    }

    private static void Show(TextWriter output, ClusterStatus status)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Chorus {status.Version}, {status.Members.Length} members"));
        var width = status.Members.Select(m => m.Address.Length).Append(0).Max();
        foreach (var member in status.Members)
        {
            var shards = member.Shards is > 0 ? string.Create(CultureInfo.InvariantCulture, $", {member.Shards} shards with {member.Blocks} blocks at work") : "";
            output.WriteLine($"  {member.Address.PadRight(width)}  {(member.Reachable ? member.Status : "UNREACHABLE")}  {string.Join(", ", member.Roles)}{shards}");
        }

        if (status.Run is not { } run)
        {
            output.WriteLine("no run");
            return;
        }

        var round = run.Round > 0 ? string.Create(CultureInfo.InvariantCulture, $"round {run.Round} of {run.Rounds}, ") : "";
        var progress = run.Total > 0 ? string.Create(CultureInfo.InvariantCulture, $" {run.Done:N0} of {run.Total:N0}") : "";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"run {run.Run} in {run.Folder}: {run.Clients:N0} clients"));
        output.WriteLine(run.Ended is { } ended ? $"  over: {ended}" : $"  {round}{run.Phase}{progress}{(run.Detail.Length > 0 ? $" ({run.Detail})" : "")}");
        if (run is { EpsilonSpent: { } spent, EpsilonBudget: { } budget })
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  epsilon {spent:0.####} of {budget:0.####} spent at delta {run.Delta:g3}"));
    }
}
