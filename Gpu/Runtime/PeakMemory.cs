using System.Diagnostics;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>The most memory that was needed so far.</summary>
public static partial class PeakMemory
{
    private const int Success = 0;

    /// <summary>Bytes: of this process on the CPU; on a GPU what libtorch's allocator, which gives nothing back, and everybody else hold there. Null where it cannot be asked.</summary>
    public static long? Bytes(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.type == DeviceType.CPU)
        {
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
        try
        {
            // The driver answers for the context that libtorch made current on this thread.
            return cuMemGetInfo_v2(out nuint free, out nuint total) == Success ? (long)(total - free) : null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    // https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__MEM.html; 0 is success
    [LibraryImport("libcuda.so.1")]
    private static partial int cuMemGetInfo_v2(out nuint free, out nuint total);
}
