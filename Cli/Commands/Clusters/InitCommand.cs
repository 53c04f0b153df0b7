using System.CommandLine;
using Chorus.Actors.Hosting.Tls;
using Chorus.Actors.Settings;

namespace Chorus.Cli.Commands.Clusters;

/// <summary><c>chorus cluster init</c>: an authority, and a certificate for each host.</summary>
internal static class InitCommand
{
    private const int LongestDays = 3650;

    private static readonly Option<string> Out = new("--out") { Description = "The folder of the cluster's certificates; one that has an authority keeps it and gets the hosts that it has not.", Required = true, HelpName = "DIR" };
    private static readonly Option<string> Hosts = new("--hosts") { Description = "Names or IP addresses of the machines, separated by commas.", DefaultValueFactory = _ => "127.0.0.1", HelpName = "A,B,C" };
    private static readonly Option<int> Days = new("--days") { Description = "How long the certificates are good for.", DefaultValueFactory = _ => 365, HelpName = "N" };

    public static Command Create()
    {
        var command = new Command("init", "Makes an authority of certificates for one cluster, and a folder for each host: what 'simulate' and 'node' take as --tls.") { Out, Hosts, Days };
        command.SetAction(Invoke);
        return command;
    }

    private static int Invoke(ParseResult parsed)
    {
        var hosts = parsed.GetValue(Hosts)!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (hosts.Length == 0)
            throw new SettingsException("--hosts names no host");
        foreach (var host in hosts)
            _ = ClusterAuthority.FolderOf(host); // before anything is written
        var days = parsed.GetValue(Days);
        if (days is < 1 or > LongestDays)
            throw new SettingsException($"--days must be in [1, {LongestDays}], got {days}");
        using var authority = ClusterAuthority.In(parsed.GetValue(Out)!, TimeProvider.System, out var made);
        var output = parsed.InvocationConfiguration.Output;
        output.WriteLine(made ? "made an authority; keep authority/ca.key where it is: whoever has it can make members" : "kept the authority that is there");
        foreach (var host in hosts)
        {
            output.WriteLine(authority.Issue(host, TimeSpan.FromDays(days)) is { } folder
                ? $"{host}: copy {folder} to that machine, and start its node with --tls FOLDER"
                : $"{host}: kept the certificate that is there");
        }

        return ExitCode.Done;
    }
}
