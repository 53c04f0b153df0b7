using System.Runtime.InteropServices;

namespace Chorus.Gpu.Cuda;

/// <summary>The CUDA driver, as far as launching kernels on torch's memory needs it.</summary>
/// <remarks>https://docs.nvidia.com/cuda/cuda-driver-api/: each function under its own name. 0 is success.</remarks>
internal static unsafe partial class DriverApi
{
    internal const int ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76, MultiprocessorCount = 16;
    internal const int MaxDynamicSharedSizeBytes = 8;
    internal const int TensorMapFloat16 = 6, TensorMapBFloat16 = 9, TensorMapSwizzle128 = 3, TensorMapL2Promotion256 = 3;
    internal const uint StreamNonBlocking = 1, EventDisableTiming = 2;
    internal const int NotReady = 600;

    private const string Library = "cuda";

    [LibraryImport(Library)]
    internal static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGetAttribute(out int value, int attribute, int device);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGetUuid(out Guid uuid, int device);

    [LibraryImport(Library)]
    internal static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library)]
    internal static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    internal static partial int cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    internal static partial int cuModuleLoadData(out nint module, void* image);

    [LibraryImport(Library)]
    internal static partial int cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    internal static partial int cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    internal static partial int cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream, void** parameters, void** extra);

    [LibraryImport(Library)]
    internal static partial int cuTensorMapEncodeTiled(
        void* map, int type, uint rank, void* address, ulong* sizes, ulong* strides, uint* box, uint* elementStrides, int interleave, int swizzle, int l2Promotion, int fill);

    [LibraryImport(Library)]
    internal static partial int cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    internal static partial int cuStreamWaitEvent(nint stream, nint @event, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuEventCreate(out nint @event, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuEventRecord(nint @event, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuEventQuery(nint @event);

    [LibraryImport(Library)]
    internal static partial int cuEventElapsedTime(out float milliseconds, nint start, nint end);

    [LibraryImport(Library)]
    internal static partial int cuEventDestroy_v2(nint @event);

    [LibraryImport(Library)]
    private static partial int cuGetErrorName(int status, out nint name);

    /// <summary>Loads the driver's library under the name this file gives it; false where there is none.</summary>
    internal static bool TryLoad() => SystemLibraries.TryLoad(Library, out _);

    /// <exception cref="CudaException">The status is not success.</exception>
    internal static void Check(int status, string call)
    {
        if (status == 0)
            return;
        var said = cuGetErrorName(status, out var name) == 0 ? Marshal.PtrToStringUTF8(name) : null;
        throw new CudaException($"{call} failed: {said ?? $"status {status}"}");
    }
}
