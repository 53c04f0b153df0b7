using System.CommandLine;

namespace Chorus.Cli.Commands.Clusters;

/// <summary><c>chorus cluster</c>: what concerns a cluster as a whole.</summary>
internal static class ClusterCommand
{
    public static Command Create() => new("cluster", "Makes the certificates of a cluster, and asks one, or one process of it, how it is.")
    {
        InitCommand.Create(),
        StatusCommand.Create(),
        HealthCommand.Create(),
    };
}
