using Akka.Cluster;

namespace Chorus.Actors.Collection;

/// <summary>A collector's name starts with its node's unique address, so that a lost node's collectors are known.</summary>
internal static class CollectorNames
{
    /// <summary>The address with the incarnation of the node's actor system: a restarted node is another one.</summary>
    public static string Of(UniqueAddress node) => FormattableString.Invariant($"{node.Address}#{node.Uid}");

    public static bool IsOf(string collector, string node) =>
        collector.StartsWith(node, StringComparison.Ordinal) && collector.Length > node.Length && collector[node.Length] == '/';
}
