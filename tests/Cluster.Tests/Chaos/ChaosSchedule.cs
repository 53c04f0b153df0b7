using System.Globalization;

namespace Chorus.Cluster.Tests.Chaos;

/// <summary>What can be done to a process or to its network.</summary>
internal enum Fault
{
    /// <summary>kill -9, and started again after a while: the coordinator with --resume.</summary>
    Kill,

    /// <summary>SIGTERM (it leaves in order), and started again after a while.</summary>
    Stop,

    /// <summary>SIGSTOP, and SIGCONT after a while: slow rather than dead, or long enough to be given up.</summary>
    Pause,

    /// <summary>One client node more joins, and shards move to it.</summary>
    Join,

    /// <summary>Its network is cut in both directions for a while.</summary>
    Cut,

    /// <summary>What it sends to the others is lost for a while; what they send arrives.</summary>
    Mute,

    /// <summary>Its network is slow for a while: delayed and, where the kernel can, reordered, doubled and lossy.</summary>
    Slow,
}

/// <summary>One fault: after the coordinator said something, and then a delay, something happens to somebody for a while.</summary>
/// <param name="After">Text of the coordinator's output.</param>
/// <param name="Victim">0 is the coordinator; from 1 the client nodes.</param>
internal sealed record ChaosEvent(string After, TimeSpan Delay, Fault Fault, int Victim, TimeSpan While)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Fault.ToString().ToLowerInvariant()} {(Fault == Fault.Join ? "one more" : Victim == 0 ? "coordinator" : $"node {Victim}")} {Delay.TotalMilliseconds:0} ms after \"{After}\" for {While.TotalMilliseconds:0} ms");
}

/// <summary>What happens to a run, all of it drawn from a seed.</summary>
internal sealed record ChaosSchedule(int Seed, int Nodes, IReadOnlyList<ChaosEvent> Events)
{
    private static readonly string[] Moments =
    [
        "waiting for", "round 1/2 generate", "round 1/2 feedback", "round 1/2 feedback", "round 1/2 tune", "round 2/2 generate", "round 2/2 feedback", "round 2/2 feedback",
        "round 2/2 evaluate", "synthesize",
    ];

    /// <param name="network">Whether the network can be disturbed too.</param>
    public static ChaosSchedule Of(int seed, bool network)
    {
        var random = new Random(seed);
        var nodes = random.Next(2, 4);
        Fault[] faults = network ? Enum.GetValues<Fault>() : [Fault.Kill, Fault.Stop, Fault.Pause, Fault.Join];
        var events = Enumerable.Range(0, random.Next(2, 7)).Select(_ =>
        {
            var fault = faults[random.Next(faults.Length)];
            // Half of the faults hit at once, where the moment matters most; the others anywhere in the second after.
            var delay = TimeSpan.FromMilliseconds(random.Next(2) == 0 ? random.Next(60) : random.Next(1200));
            // Short ones are healed before anybody notices, long ones after the victim was given up.
            var duration = TimeSpan.FromMilliseconds(random.Next(3) switch { 0 => random.Next(50, 400), 1 => random.Next(400, 2000), _ => random.Next(3000, 6000) });
            return new ChaosEvent(Moments[random.Next(Moments.Length)], delay, fault, random.Next(nodes + 1), duration);
        });
        return new ChaosSchedule(seed, nodes, [.. events]);
    }

    public override string ToString() => $"seed {Seed}, {Nodes} client nodes: {string.Join("; ", Events)}";
}
