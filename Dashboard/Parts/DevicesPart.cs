using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>What the devices get done.</summary>
internal static class DevicesPart
{
    private const int Seconds = 120;

    /// <summary>Parts of a step in their order. Each keeps its colour.</summary>
    private static readonly string[] Parts = ["other", "generate", "forward", "backward", "update"];

    public static Html Draw(RunView view)
    {
        var devices = view.Nodes.Where(n => n.Status is NodeStatus.Up or NodeStatus.Leaving).SelectMany(n => n.Devices).ToArray();
        return devices.Length == 0
            ? Html.Of($"""<p class="nothing">{(view.Live ? "No device has worked since this page was opened." : "Devices are known only while the run goes on.")}</p>""")
            : Html.Join(devices.Select((d, i) => Device(view, d, $"device-{i}")));
    }

    private static Html Device(RunView view, DeviceView device, string id)
    {
        var series = view.Tokens.GetValueOrDefault($"{device.Node} {device.Name}", []);
        Html memory = device.MemoryTotal > 0
            ? Html.Of($" · {ClusterPart.Bytes(device.MemoryUsed)} of {ClusterPart.Bytes(device.MemoryTotal)} taken")
            : Html.Of($" · {ClusterPart.Bytes(view.Nodes.First(n => n.Address == device.Node).Vitals!.MemoryBytes)} in this process");
        var busy = device.Parts.Sum(p => p.Share);
        // On a GPU a step is one part, named as the work is: train, tune.
        var parts = device.Parts.Select(p => (p.Part, p.Share, Colour: Array.IndexOf(Parts, p.Part) is > 0 and var known ? known : 3)).OrderBy(p => p.Colour).ToArray();
        return Html.Of($"""
            <div class="device"><h4>{device.Name} <span>on {device.Node}</span></h4>
            {Spark.Draw($"{id}-tokens", $"Tokens a second of {device.Name} over the last two minutes: {Words.Count((long)device.TokensPerSecond)} now", series, Seconds)}
            <p class="figures"><b>{Words.Count((long)Math.Round(device.TokensPerSecond))}</b> tokens/s{memory}</p>
            {ShareBar.Draw($"{id}-parts", $"Where the time of {device.Name} goes: {string.Join(", ", parts.Select(p => $"{p.Part} {Words.Percent(p.Share, 0)}").DefaultIfEmpty("idle"))}", [.. parts, ("nothing of these", Math.Max(0, 1 - busy), 9)])}
            </div>
            """);
    }
}
