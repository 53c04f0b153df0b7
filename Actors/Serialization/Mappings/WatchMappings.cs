using Chorus.Actors.Telemetry;
using Chorus.Actors.Watch;

namespace Chorus.Actors.Serialization.Mappings;

internal static class WatchMappings
{
    public static IEnumerable<WireType> Types =>
    [
        WireType.Of<VitalsProtocol.WatchNode, Wire.WatchNode>("watch/node/2", m => new() { Run = m.Run, Seconds = m.Seconds }, w => new(w.Run, w.Seconds)),
        WireType.Of<VitalsProtocol.NodeVitals, Wire.NodeVitals>(
            "watch/vitals/2",
            m => new()
            {
                Run = m.Run, Seconds = m.Seconds, CpuShare = m.CpuShare, MemoryBytes = m.MemoryBytes, MemoryLimitBytes = m.MemoryLimitBytes, Processors = m.Processors,
                Shards = m.Shards, Blocks = m.Blocks, Readings = { m.Readings.Select(r => new Wire.Reading { Instrument = r.Instrument, Tags = r.Tags, Value = r.Value }) },
            },
            w => new(
                w.Run, w.Seconds, w.CpuShare, w.MemoryBytes, w.MemoryLimitBytes, w.Processors, w.Shards, w.Blocks,
                [.. w.Readings.Select(r => new Reading(r.Instrument, r.Tags, r.Value))])),
    ];
}
