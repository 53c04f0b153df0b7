using System.Collections.Concurrent;
using static Chorus.Gpu.Cuda.DriverApi;

namespace Chorus.Gpu.Cuda;

/// <summary>A GPU as the driver sees it. It works in torch's own (primary) context, on torch's memory and default stream.</summary>
public sealed class CudaDevice
{
    private static readonly ConcurrentDictionary<int, CudaDevice> Devices = new();

    private readonly nint _context;

    private CudaDevice(int ordinal)
    {
        Check(cuInit(0), nameof(cuInit));
        Check(cuDeviceGet(out var device, ordinal), nameof(cuDeviceGet));
        Ordinal = ordinal;
        Capability = (Attribute(device, ComputeCapabilityMajor), Attribute(device, ComputeCapabilityMinor));
        Multiprocessors = Attribute(device, MultiprocessorCount);
        Check(cuDeviceGetUuid(out var identity, device), nameof(cuDeviceGetUuid));
        Identity = identity.ToString("n");
        Check(cuDevicePrimaryCtxRetain(out _context, device), nameof(cuDevicePrimaryCtxRetain)); // for the life of the process
    }

    /// <summary>Whether kernels can be compiled and launched on this machine: it has the driver and NVRTC.</summary>
    public static bool KernelsAvailable { get; } = TryLoad() && Nvrtc.Available;

    public int Ordinal { get; }

    /// <summary>Compute capability, such as (9, 0).</summary>
    public (int Major, int Minor) Capability { get; }

    public int Multiprocessors { get; }

    /// <summary>Tells this GPU from all others, whatever ordinal a process has it under.</summary>
    public string Identity { get; }

    /// <exception cref="CudaException">There is no such device, or no driver.</exception>
    public static CudaDevice Of(int ordinal) => TryLoad()
        ? Devices.GetOrAdd(ordinal, o => new CudaDevice(o))
        : throw new CudaException("the CUDA driver (libcuda.so.1) is not on this machine");

    /// <summary>Makes its context the calling thread's: autograd's threads, for one, may not have it.</summary>
    internal void MakeCurrent() => Check(cuCtxSetCurrent(_context), nameof(cuCtxSetCurrent));

    private static int Attribute(int device, int attribute)
    {
        Check(cuDeviceGetAttribute(out var value, attribute, device), nameof(cuDeviceGetAttribute));
        return value;
    }
}
