using System.Collections.Immutable;
using Chorus.Actors.Telemetry;

namespace Chorus.Actors.Watch;

/// <summary>What whoever watches a run and the nodes that carry it say to each other.</summary>
public static class VitalsProtocol
{
    /// <summary>Tell me how you are, every second for so long. Asked again before the time is over by whoever still watches.</summary>
    public sealed record WatchNode(string Run, int Seconds) : IRunMessage;

    /// <summary>How a node is.</summary>
    /// <param name="Seconds">Since the node's process started, monotonic: rates are taken over it.</param>
    /// <param name="CpuShare">Processor time of the process over the last second, as a share of all its processors: [0, 1].</param>
    /// <param name="MemoryBytes">Resident memory of the process.</param>
    /// <param name="MemoryLimitBytes">What the machine, or its container, lets it have.</param>
    /// <param name="Shards">Shards that live here.</param>
    /// <param name="Blocks">Blocks of clients that are awake here.</param>
    /// <param name="Readings">The node's instruments.</param>
    public sealed record NodeVitals(
        string Run, double Seconds, double CpuShare, long MemoryBytes, long MemoryLimitBytes, int Processors, int Shards, int Blocks,
        ImmutableArray<Reading> Readings) : IRunMessage;
}
