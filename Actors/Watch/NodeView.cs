using System.Collections.Immutable;
using Chorus.Actors.Telemetry;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Actors.Watch;

/// <summary>How the cluster sees a node.</summary>
public enum NodeStatus
{
    Joining,
    Up,
    Leaving,

    /// <summary>It does not answer; it may come back or be given up.</summary>
    Unreachable,

    /// <summary>It is no member any more: it left, or it was given up.</summary>
    Gone,
}

/// <summary>One node of the cluster, as a watcher knows it.</summary>
/// <param name="Address">host:port.</param>
/// <param name="Since">When it came into this status.</param>
/// <param name="Recent">What it told of itself last, the newest last; empty where it has not yet.</param>
public sealed record NodeView(string Address, ImmutableArray<string> Roles, NodeStatus Status, DateTimeOffset Since, ImmutableArray<NodeVitals> Recent)
{
    /// <summary>Rates are taken over so many reports.</summary>
    private const int Kept = 6;

    public NodeVitals? Vitals => Recent is [.., var last] ? last : null;

    /// <summary>Votes a second of its clients.</summary>
    public double VotesPerSecond => Rate("chorus.votes");

    /// <summary>Its devices that worked while it was watched, by name.</summary>
    public IEnumerable<DeviceView> Devices =>
        from reading in Vitals?.Readings ?? []
        where reading.Instrument == "chorus.device.time"
        group reading by reading.Tag("device")! into device
        orderby device.Key
        select new DeviceView(
            Address, device.Key, Rate("chorus.device.tokens", device.Key), Now("chorus.device.memory.used", device.Key), Now("chorus.device.memory.total", device.Key),
            [.. device.Select(r => (Part: r.Tag("part")!, Share: Rate(r.Instrument, device.Key, r.Tag("part")))).Where(p => p.Share > 0).OrderBy(p => p.Part, StringComparer.Ordinal)]);

    public NodeView With(NodeVitals vitals)
    {
        // A process that was started again counts from nothing.
        var before = Recent is [.., var last] && vitals.Seconds > last.Seconds ? Recent : [];
        return this with { Recent = [.. before.TakeLast(Kept - 1), vitals] };
    }

    /// <summary>How fast a counter grows, a second, over the last reports; 0 where there is only one.</summary>
    private double Rate(string instrument, string? device = null, string? part = null)
    {
        return Recent is [var first, .., var last] ? Math.Max(0, (Of(last.Readings) - Of(first.Readings)) / (last.Seconds - first.Seconds)) : 0;

        double Of(ImmutableArray<Reading> readings) => readings
            .Where(r => r.Instrument == instrument && (device is null || r.Tag("device") == device) && (part is null || r.Tag("part") == part))
            .Sum(r => r.Value);
    }

    private double Now(string instrument, string device) =>
        Vitals!.Readings.FirstOrDefault(r => r.Instrument == instrument && r.Tag("device") == device)?.Value ?? 0;
}

/// <summary>A device at work on a node.</summary>
/// <param name="MemoryUsed">Bytes; 0 where it has no memory of its own.</param>
/// <param name="Parts">Seconds a second that went into each part of a step; what is left to 1 it was idle, or did something unmeasured.</param>
public sealed record DeviceView(string Node, string Name, double TokensPerSecond, double MemoryUsed, double MemoryTotal, ImmutableArray<(string Part, double Share)> Parts);
