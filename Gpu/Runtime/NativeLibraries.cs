using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>Finds, mends and loads libtorch and TorchSharp's native library, in that order.</summary>
internal static class NativeLibraries
{
    internal const string FolderVariable = "CHORUS_LIBTORCH";

    // What a foreign libtorch consists of, in loading order: each is found by name when a later one asks for it. The global
    // dependencies come first because they alone list NVIDIA's libraries with the paths at which PyTorch's wheels keep them.
    private static readonly (string Name, bool Required)[] ForeignLibraries =
    [
        ("libtorch_global_deps.so", false), ("libc10.so", true), ("libtorch_cpu.so", true),
        ("libc10_cuda.so", false), ("libtorch_cuda.so", false), ("libtorch.so", true),
    ];

    /// <summary>Loads everything and returns the folder that libtorch came from.</summary>
    internal static string Load()
    {
        var bridge = FindBridge();
        if (OperatingSystem.IsLinux())
            Mend(bridge);
        var foreign = Environment.GetEnvironmentVariable(FolderVariable);
        return string.IsNullOrEmpty(foreign) ? LoadOwn(bridge) : LoadForeign(foreign, bridge);
    }

    private static string LoadOwn(string bridge)
    {
        var folder = Path.GetDirectoryName(bridge)!;
        var core = Path.Combine(folder, FileName("torch_cpu"));
        if (File.Exists(core))
            LoadFile(core);
        else if (!NativeLibrary.TryLoad(FileName("torch_cpu"), out _))
            throw new TorchLoadException(
                $"libtorch was not found: {core} does not exist, and the system's loader knows no {FileName("torch_cpu")}. Build with "
                + $"-p:TorchBackend=cpu (the default), or set {FolderVariable} to the folder of an installed libtorch (PyTorch's torch/lib).");
        LoadFile(bridge);
        torch.InitializeDeviceType(DeviceType.CPU); // finds what is loaded already
        return folder;
    }

    private static string LoadForeign(string folder, string bridge)
    {
        CheckForeign(folder);
        foreach (var (name, _) in ForeignLibraries)
        {
            if (File.Exists(Path.Combine(folder, name)))
                LoadFile(Path.Combine(folder, name));
        }
        var handle = LoadFile(bridge);
        // TorchSharp would now look for "torch_cpu" beside the program and load that second copy, upon which the process dies
        // (operators registered twice). So it is told that the backend is there, and its imports are led to our handle.
        NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, (name, _, _) => name == "LibTorchSharp" ? handle : 0);
        foreach (var flag in new[] { "nativeBackendLoaded", "nativeBackendCudaLoaded" })
        {
            var field = typeof(torch).GetField(flag, BindingFlags.NonPublic | BindingFlags.Static)
                ?? throw new TorchLoadException($"this TorchSharp has no field {flag}, so {FolderVariable} cannot be used with it; Chorus is made for TorchSharp 0.107.0");
            field.SetValue(null, true);
        }
        torch.InitializeDeviceType(DeviceType.CPU);
        return folder;
    }

    /// <exception cref="TorchLoadException">Files of libtorch are missing in the folder; the message names them.</exception>
    internal static void CheckForeign(string folder)
    {
        var missing = ForeignLibraries.Where(l => l.Required && !File.Exists(Path.Combine(folder, l.Name))).Select(l => l.Name).ToArray();
        if (missing.Length > 0)
            throw new TorchLoadException(
                $"{FolderVariable} is {folder}, where {string.Join(", ", missing)} {(missing.Length == 1 ? "is" : "are")} missing. It must be the folder "
                + "that holds libtorch_cpu.so (and libtorch_cuda.so for GPUs), such as torch/lib of an installed PyTorch 2.10 or 2.11.");
    }

    // "The bridge": TorchSharp's own native library, between the managed code and libtorch.
    private static string FindBridge()
    {
        var name = FileName("LibTorchSharp");
        var folders = SearchFolders().Distinct().ToArray();
        return folders.Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists)
            ?? throw new TorchLoadException($"{name}, TorchSharp's native library, was not found in {string.Join(", ", folders)}. Build or publish the program again for {RuntimeInformation.RuntimeIdentifier}.");
    }

    private static IEnumerable<string> SearchFolders()
    {
        // What the host itself searches, from the program's deps.json; then both layouts beside the program.
        foreach (var folder in ((string?)AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return Path.TrimEndingDirectorySeparator(folder);
        yield return Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native");
    }

    private static void Mend(string bridge)
    {
        // The C++ library in use is the one in our own memory, so it is brought there first.
        NativeLibrary.TryLoad(LibStdCxxMend.Library, out _);
        if (!LibStdCxxMend.Needed(bridge) || !LibStdCxxMend.SystemLacksVersion())
            return;
        if (InPackageCache(bridge))
            throw new TorchLoadException(
                $"{bridge} asks for {LibStdCxxMend.Version}, which this system's {LibStdCxxMend.Library} lacks. It lies in the NuGet cache, which is shared "
                + "and therefore left as it is: run the program from its output folder (dotnet build or dotnet publish), where the file is mended.");
        try
        {
            LibStdCxxMend.Apply(bridge);
        }
        catch (IOException e)
        {
            throw new TorchLoadException(e.Message, e);
        }
    }

    private static bool InPackageCache(string bridge)
    {
        // An installed .NET tool lies in a package's folder too, but in its user's own store.
        if (bridge.Split(Path.DirectorySeparatorChar).Contains(".store"))
            return false;
        for (var folder = Path.GetDirectoryName(bridge); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, ".nupkg.metadata")))
                return true;
        }
        return false;
    }

    private static nint LoadFile(string path)
    {
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new TorchLoadException(
                $"{path} does not load: {LoaderMessage(e.Message)}. If that names another file, install it or add its folder to LD_LIBRARY_PATH. "
                + $"All files of a libtorch must come from one build; {FolderVariable} takes the libtorch of another folder.", e);
        }
    }

    // The first line is the runtime's advice on tracing; what the system's loader said follows.
    private static string LoaderMessage(string message)
    {
        var lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length > 1 ? string.Join("; ", lines.Skip(1)) : message.Trim();
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? library + ".dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";
}
