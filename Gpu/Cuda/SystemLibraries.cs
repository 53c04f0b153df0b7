using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Chorus.Gpu.Cuda;

/// <summary>Libraries of NVIDIA's that a machine may have, under the names of several versions.</summary>
internal static class SystemLibraries
{
    private static readonly Dictionary<string, string[]> Candidates = new()
    {
        ["cuda"] = ["libcuda.so.1", "nvcuda.dll"],
        ["nvrtc"] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so", "nvrtc64_130_0.dll", "nvrtc64_120_0.dll"],
        ["nccl"] = ["libnccl.so.2"], // where libtorch came with one, that is in the process already and is found by this name
    };

    private static readonly ConcurrentDictionary<string, nint> Loaded = new();

    static SystemLibraries() => NativeLibrary.SetDllImportResolver(
        Assembly.GetExecutingAssembly(), (name, _, _) => TryLoad(name, out var handle) ? handle : 0);

    /// <summary>Loads a library once; false where no candidate does.</summary>
    internal static bool TryLoad(string name, out nint handle)
    {
        handle = Candidates.TryGetValue(name, out var candidates)
            ? Loaded.GetOrAdd(name, _ => candidates.Select(c => NativeLibrary.TryLoad(c, out var h) ? h : 0).FirstOrDefault(h => h != 0))
            : 0;
        return handle != 0;
    }
}
