using System.Runtime.InteropServices;
using System.Text;

namespace Chorus.Gpu.Cuda;

/// <summary>NVIDIA's run-time compiler: CUDA C++ to machine code for one architecture.</summary>
/// <remarks>https://docs.nvidia.com/cuda/nvrtc/: each function under its own name. 0 is success.</remarks>
internal static unsafe partial class Nvrtc
{
    private const string Library = "nvrtc";

    /// <summary>Whether the machine has it.</summary>
    internal static bool Available => SystemLibraries.TryLoad(Library, out _);

    /// <summary>major.minor.</summary>
    internal static string Version
    {
        get
        {
            Check(nvrtcVersion(out var major, out var minor), "nvrtcVersion", "");
            return $"{major}.{minor}";
        }
    }

    /// <summary>Compiles to a cubin.</summary>
    /// <param name="name">The source's name, for messages.</param>
    /// <param name="headers">What it may include, by name.</param>
    /// <exception cref="CudaException">The source does not compile: the message holds name, options and the whole log.</exception>
    internal static byte[] Compile(string source, string name, IReadOnlyList<string> options, params IReadOnlyList<(string Name, string Text)> headers)
    {
        nint program = 0;
        WithStrings([.. headers.Select(h => h.Text)], texts => WithStrings([.. headers.Select(h => h.Name)], names =>
            Check(nvrtcCreateProgram(out program, source, name, headers.Count, (nint*)texts, (nint*)names), "nvrtcCreateProgram", name)));
        try
        {
            int status = 0;
            WithStrings(options, pointers => status = nvrtcCompileProgram(program, options.Count, (nint*)pointers));
            if (status != 0)
                throw new CudaException($"{name} does not compile with {string.Join(' ', options)}:{Environment.NewLine}{LogOf(program)}");
            Check(nvrtcGetCUBINSize(program, out var size), "nvrtcGetCUBINSize", name);
            var cubin = new byte[size];
            fixed (byte* bytes = cubin)
                Check(nvrtcGetCUBIN(program, bytes), "nvrtcGetCUBIN", name);
            return cubin;
        }
        finally
        {
            nvrtcDestroyProgram(ref program);
        }
    }

    // The strings in native memory, as an array of pointers to them.
    private static void WithStrings(IReadOnlyList<string> strings, Action<nint> use)
    {
        var pointers = strings.Select(s => Marshal.StringToCoTaskMemUTF8(s)).ToArray();
        try
        {
            fixed (nint* array = pointers)
                use((nint)array);
        }
        finally
        {
            foreach (var pointer in pointers)
                Marshal.FreeCoTaskMem(pointer);
        }
    }

    private static string LogOf(nint program)
    {
        if (nvrtcGetProgramLogSize(program, out var size) != 0 || size < 2)
            return "(no log)";
        var log = new byte[size];
        fixed (byte* bytes = log)
            nvrtcGetProgramLog(program, bytes);
        return Encoding.UTF8.GetString(log).TrimEnd('\0');
    }

    private static void Check(int status, string call, string name)
    {
        if (status != 0)
            throw new CudaException($"{call} failed for {name}: {Marshal.PtrToStringUTF8(nvrtcGetErrorString(status))}");
    }

    [LibraryImport(Library)]
    private static partial int nvrtcVersion(out int major, out int minor);

    [LibraryImport(Library)]
    private static partial nint nvrtcGetErrorString(int status);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int nvrtcCreateProgram(out nint program, string source, string name, int headers, nint* headerSources, nint* headerNames);

    [LibraryImport(Library)]
    private static partial int nvrtcDestroyProgram(ref nint program);

    [LibraryImport(Library)]
    private static partial int nvrtcCompileProgram(nint program, int count, nint* options);

    [LibraryImport(Library)]
    private static partial int nvrtcGetCUBINSize(nint program, out nint size);

    [LibraryImport(Library)]
    private static partial int nvrtcGetCUBIN(nint program, byte* cubin);

    [LibraryImport(Library)]
    private static partial int nvrtcGetProgramLogSize(nint program, out nint size);

    [LibraryImport(Library)]
    private static partial int nvrtcGetProgramLog(nint program, byte* log);
}
