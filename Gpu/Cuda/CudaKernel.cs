using System.Collections.Concurrent;
using System.Reflection;
using Chorus.Gpu.Checkpoints;
using static Chorus.Gpu.Cuda.DriverApi;

namespace Chorus.Gpu.Cuda;

/// <summary>One kernel on one device: compiled for it by NVRTC, kept on disk by source, options, architecture and compiler, loaded once.</summary>
public sealed unsafe class CudaKernel
{
    private const string SourceFolder = "Chorus.Gpu.Kernels.";

    private const int MostValues = 16;

    private static readonly string[] Headers = ["numbers.cuh"];

    private static readonly ConcurrentDictionary<(int Device, string File, string Name, long Defines), Lazy<CudaKernel>> Kernels = new();

    private readonly CudaDevice _device;
    private readonly nint _function;
    private int _sharedBytes;

    private CudaKernel(CudaDevice device, string file, string name, bool ownArchitecture, string[] defines)
    {
        _device = device;
        var cubin = Compiled(device, file, ownArchitecture, defines);
        device.MakeCurrent();
        nint module;
        fixed (byte* image = cubin)
            Check(cuModuleLoadData(out module, image), $"loading {file}"); // for the life of the process
        Check(cuModuleGetFunction(out _function, module, name), $"finding {name} in {file}");
    }

    /// <param name="file">An embedded source of Gpu/Kernels, such as <c>gram_norm_sm90.cu</c>.</param>
    /// <param name="name">The kernel's name in it, <c>extern "C"</c>.</param>
    /// <param name="ownArchitecture">Whether it uses instructions of just this architecture, such as sm_90a.</param>
    /// <param name="defines">Macros that it is compiled with; values below 16, at most 15 of them.</param>
    /// <exception cref="CudaException">It does not compile or load; the message holds the compiler's log.</exception>
    public static CudaKernel Of(CudaDevice device, string file, string name, bool ownArchitecture = false, params ReadOnlySpan<(string Name, int Value)> defines)
    {
        ArgumentNullException.ThrowIfNull(device);
        long key = 1; // asked for at every launch, so no strings are made
        foreach (var (_, value) in defines)
            key = (key * MostValues) + value;
        if (Kernels.TryGetValue((device.Ordinal, file, name, key), out var kernel))
            return kernel.Value;
        var macros = new string[defines.Length];
        for (int i = 0; i < macros.Length; i++)
            macros[i] = $"{defines[i].Name}={defines[i].Value}";
        return Kernels.GetOrAdd((device.Ordinal, file, name, key), _ => new(() => new CudaKernel(device, file, name, ownArchitecture, macros))).Value;
    }

    /// <summary>The source of a kernel, as it is compiled.</summary>
    public static string SourceOf(string file)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(SourceFolder + file)
            ?? throw new CudaException($"there is no kernel source {file}");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Lets a block have more than 48 KiB of dynamic shared memory.</summary>
    public void AllowShared(int bytes)
    {
        if (bytes <= _sharedBytes)
            return;
        _device.MakeCurrent();
        Check(cuFuncSetAttribute(_function, MaxDynamicSharedSizeBytes, bytes), "allowing so much shared memory");
        _sharedBytes = bytes;
    }

    /// <summary>Launches on torch's current stream, after what torch has put there; returns at once.</summary>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads of a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    public void Launch(int grid, int block, int sharedBytes, KernelArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        _device.MakeCurrent();
        var pointers = stackalloc void*[arguments.Count];
        for (var i = 0; i < arguments.Count; i++)
            pointers[i] = arguments.At(i);
        Check(cuLaunchKernel(_function, (uint)grid, 1, 1, (uint)block, 1, 1, (uint)sharedBytes, TorchStream.Current(_device.Ordinal), pointers, null), nameof(cuLaunchKernel));
    }

    private static byte[] Compiled(CudaDevice device, string file, bool ownArchitecture, string[] defines)
    {
        var source = SourceOf(file);
        (string Name, string Text)[] headers = [.. Headers.Where(h => source.Contains($"\"{h}\"", StringComparison.Ordinal)).Select(h => (h, SourceOf(h)))];
        var architecture = $"sm_{device.Capability.Major}{device.Capability.Minor}{(ownArchitecture ? "a" : "")}";
        string[] options = [$"--gpu-architecture={architecture}", "--std=c++17", .. defines.Select(d => $"--define-macro={d}")];
        var key = "kernel-" + ContentCache.KeyOf([source, .. headers.Select(h => h.Text), .. options, Nvrtc.Version]);
        var folder = ContentCache.OfUser().GetOrCreate(key, f => File.WriteAllBytes(Path.Combine(f, "kernel.cubin"), Nvrtc.Compile(source, file, options, headers)));
        return File.ReadAllBytes(Path.Combine(folder, "kernel.cubin"));
    }
}
