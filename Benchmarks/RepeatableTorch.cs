using System.Runtime.InteropServices;

namespace Chorus.Benchmarks;

/// <summary>torch.use_deterministic_algorithms, which TorchSharp does not have: libtorch's own functions, by the names that its C++ compiler gives them.</summary>
internal static partial class RepeatableTorch
{
    // Loaded by now; its name is enough.
    private const string Library = "libtorch_cpu.so";

    /// <summary>Whether operators of this process give the same bits each time; one that cannot then throws. CUDA also wants CUBLAS_WORKSPACE_CONFIG=:4096:8.</summary>
    public static void Set(bool repeats) => SetDeterministicAlgorithms(GlobalContext(), repeats, false);

    [LibraryImport(Library, EntryPoint = "_ZN2at13globalContextEv")]
    private static partial nint GlobalContext();

    [LibraryImport(Library, EntryPoint = "_ZN2at7Context26setDeterministicAlgorithmsEbb")]
    private static partial void SetDeterministicAlgorithms(nint context, [MarshalAs(UnmanagedType.U1)] bool mode, [MarshalAs(UnmanagedType.U1)] bool warnOnly);
}
