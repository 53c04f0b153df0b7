using System.Diagnostics;
using System.Diagnostics.Metrics;
using Chorus.Gpu.Cuda;
using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>
/// What a device gets done, as instruments of the meter "Chorus" (docs/page.md lists them): tokens, the seconds that
/// the parts of its steps took, the memory that is taken on it. Made and used on the device's thread; costs nothing to speak
/// of where nobody listens.
/// </summary>
/// <remarks>
/// On the CPU an operator is done when its call returns, so a step is split by the host's clock. On a GPU a call only queues
/// work, and a clock between two calls would tell nothing: the time from one look at the device to the next is one part, named
/// as the whole step.
/// </remarks>
internal sealed class DeviceWork
{
    /// <summary>The instruments' meter has the name of those in Chorus.Actors, so that one listener hears both.</summary>
    private static readonly Meter Meter = new("Chorus", typeof(DeviceWork).Assembly.GetName().Version!.ToString(3));

    private static readonly Counter<long> TokensDone =
        Meter.CreateCounter<long>("chorus.device.tokens", "{token}", "Tokens that a device generated or trained on");

    private static readonly Counter<double> Seconds =
        Meter.CreateCounter<double>("chorus.device.time", "s", "Seconds that a device's work took, by the part of its step");

    private static readonly Gauge<long> MemoryUsed = Meter.CreateGauge<long>("chorus.device.memory.used", "By", "Memory that is taken on a GPU, by everybody");

    private static readonly Gauge<long> MemoryTotal = Meter.CreateGauge<long>("chorus.device.memory.total", "By", "Memory of a GPU");

    private readonly KeyValuePair<string, object?> _device;
    private readonly KeyValuePair<string, object?> _work;
    private readonly bool _splits;
    private readonly string _whole;
    private long _mark = Stopwatch.GetTimestamp();
    private long _memoryAsked;

    /// <param name="device">Where the work is done.</param>
    /// <param name="work">Its name: train, tune, generate.</param>
    public DeviceWork(torch.Device device, string work)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = new("device", device.type == DeviceType.CPU ? "cpu" : $"cuda:{Math.Max(0, device.index)}");
        _work = new("work", work);
        (_splits, _whole) = (device.type == DeviceType.CPU, work);
    }

    /// <summary>A step begins: what was before it belongs to no part.</summary>
    public void Begin() => _mark = Stopwatch.GetTimestamp();

    /// <summary>The time since the last call of this object went into this part: forward, backward, exchange (with the other ranks of a group), update, generate.</summary>
    public void Took(string part)
    {
        var now = Stopwatch.GetTimestamp();
        if (Seconds.Enabled)
            Seconds.Add(Stopwatch.GetElapsedTime(_mark, now).TotalSeconds, _device, new("part", _splits ? part : _whole));
        _mark = now;
    }

    /// <summary>So many tokens more are done.</summary>
    public void Tokens(long count)
    {
        if (!TokensDone.Enabled)
            return;
        TokensDone.Add(count, _device, _work);
        if (_splits || Stopwatch.GetElapsedTime(_memoryAsked).TotalSeconds < 1)
            return;
        _memoryAsked = Stopwatch.GetTimestamp();
        // The driver answers for the context that libtorch made current on this thread.
        if (DriverApi.TryLoad() && DriverApi.cuMemGetInfo_v2(out nuint free, out nuint total) == 0)
        {
            MemoryUsed.Record((long)(total - free), _device);
            MemoryTotal.Record((long)total, _device);
        }
    }
}
