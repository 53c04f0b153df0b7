using System.Runtime.InteropServices;
using Chorus.Gpu.Runtime;

namespace Chorus.Gpu.Cuda;

/// <summary>The CUDA stream that libtorch's operators of this thread go to; TorchSharp does not tell.</summary>
/// <remarks>Found by its C++ names (c10::cuda::getCurrentCUDAStream), in the Itanium ABI of Linux. Without them it is the default stream, which is libtorch's own default.</remarks>
internal static unsafe class TorchStream
{
    private static readonly delegate* unmanaged<sbyte, Stream> CurrentOf;
    private static readonly delegate* unmanaged<Stream*, nint> Handle;

    static TorchStream()
    {
        if (OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64 && TorchRuntime.Folder is { } folder
            && NativeLibrary.TryLoad(Path.Combine(folder, "libc10_cuda.so"), out var library)
            && NativeLibrary.TryGetExport(library, "_ZN3c104cuda20getCurrentCUDAStreamEa", out var current)
            && NativeLibrary.TryGetExport(library, "_ZNK3c104cuda10CUDAStream6streamEv", out var handle))
        {
            CurrentOf = (delegate* unmanaged<sbyte, Stream>)current;
            Handle = (delegate* unmanaged<Stream*, nint>)handle;
        }
    }

    /// <summary>The driver's handle of it; 0 is the default stream.</summary>
    public static nint Current(int device)
    {
        if (CurrentOf is null)
            return 0;
        return HandleOf(CurrentOf((sbyte)device));
    }

    /// <summary>A stream's handle; only for streams that libtorch gave.</summary>
    public static nint HandleOf(Stream stream) => Handle(&stream);

    /// <summary>A c10::cuda::CUDAStream: device type and index, then the stream's number.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal readonly struct Stream
    {
        private readonly long _device, _number;
    }
}
