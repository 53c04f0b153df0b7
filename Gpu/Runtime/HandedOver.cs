using System.Collections.Concurrent;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Runtime;

/// <summary>Gradients that a managed backward function has returned: native code has its own hold on them as soon as the function has returned, and the wrapper must go then.</summary>
/// <remarks>
/// Nothing is called back when that is so. So each function of a thread lets go of what the one before it returned, and whoever started the backward
/// pass lets go of the rest: without it the memory of a layer's gradient would be held while the layers before it are computed.
/// Autograd has one thread for each GPU; on the CPU it works on the thread that called it.
/// </remarks>
internal static class HandedOver
{
    private static readonly ConcurrentDictionary<int, List<Tensor>> ByThread = new();

    /// <summary>Keeps what this thread's function is about to return.</summary>
    public static void Give(Tensor gradient)
    {
        var mine = Mine();
        lock (mine)
            mine.Add(gradient.DetachFromDisposeScope());
    }

    /// <summary>Called as a function begins: what this thread returned before has arrived.</summary>
    public static void Release()
    {
        var mine = Mine();
        lock (mine)
        {
            foreach (var tensor in mine)
                tensor.Dispose();
            mine.Clear();
        }
    }

    /// <summary>Called when a backward pass on the device is over.</summary>
    public static void ReleaseOf(Device device)
    {
        if (device.type == DeviceType.CPU)
        {
            Release();
            return;
        }
        foreach (var list in ByThread.Values)
        {
            lock (list)
            {
                foreach (var tensor in list.Where(t => t.device_type == device.type && t.device_index == Math.Max(0, device.index)))
                    tensor.Dispose();
                list.RemoveAll(t => t.IsInvalid);
            }
        }
    }

    private static List<Tensor> Mine() => ByThread.GetOrAdd(Environment.CurrentManagedThreadId, _ => []);
}
