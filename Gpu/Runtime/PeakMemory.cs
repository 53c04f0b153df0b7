using System.Diagnostics;
using Chorus.Gpu.Cuda;
using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>The most memory that was needed so far.</summary>
public static class PeakMemory
{
    /// <summary>Bytes: of this process on the CPU; on a GPU what libtorch's allocator, which gives nothing back, and everybody else hold there. Null where it cannot be asked.</summary>
    public static long? Bytes(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.type == DeviceType.CPU)
        {
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
        // The driver answers for the context that libtorch made current on this thread.
        return DriverApi.TryLoad() && DriverApi.cuMemGetInfo_v2(out nuint free, out nuint total) == 0 ? (long)(total - free) : null;
    }
}
