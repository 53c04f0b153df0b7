using System.Runtime.InteropServices;

namespace Chorus.Gpu.Runtime;

/// <summary>Settings of libtorch's TorchScript executor that TorchSharp does not reach.</summary>
internal static class ScriptExecutor
{
    // void torch::jit::setGraphExecutorOptimize(bool), of libtorch_cpu (torch/csrc/jit/runtime/graph_executor.h); Itanium name
    private const string SetOptimize = "_ZN5torch3jit24setGraphExecutorOptimizeEb";

    /// <summary>
    /// Runs scripts of the calling thread as they are written. The optimising executor watches a run, compiles for its
    /// shapes and starts again when they change, which costs seconds on a GPU and brings little to a program made of large operators.
    /// Where the function is not found (Windows names it otherwise) scripts run optimised: the same results.
    /// </summary>
    internal static unsafe void RunAsWritten()
    {
        if (TorchRuntime.Folder is { } folder
            && NativeLibrary.TryLoad(Path.Combine(folder, OperatingSystem.IsMacOS() ? "libtorch_cpu.dylib" : "libtorch_cpu.so"), out var library)
            && NativeLibrary.TryGetExport(library, SetOptimize, out var function))
            ((delegate* unmanaged<byte, void>)function)(0);
    }
}
