using System.Globalization;

namespace Chorus.Gpu.Runtime;

/// <summary>What OpenMP and malloc must be told before libtorch is loaded.</summary>
internal static class ProcessSettings
{
    private const int MappedAboveBytes = 32 << 20; // the most that glibc accepts
    private const int TrimmedAboveBytes = 512 << 20;

    /// <summary>Sets each value that the user has not set in the environment.</summary>
    internal static void Apply(int threads)
    {
        var count = threads.ToString(CultureInfo.InvariantCulture);
        // libgomp reads these when it is loaded. Environment.SetEnvironmentVariable changes a managed copy only, so setenv(3).
        // Without the passive policy idle OpenMP threads spin, and on a shared machine training was seen six times slower.
        SetUnlessGiven("OMP_WAIT_POLICY", "passive");
        SetUnlessGiven("OMP_NUM_THREADS", count);
        SetUnlessGiven("MKL_NUM_THREADS", count);
        if (OperatingSystem.IsLinux())
            LimitArenas();
    }

    private static void SetUnlessGiven(string name, string value)
    {
        if (Given(name))
            return;
        Environment.SetEnvironmentVariable(name, value); // for child processes and for this runtime's own view
        if (!OperatingSystem.IsWindows())
            _ = NativeMethods.setenv(name, value, overwrite: 0);
    }

    // glibc reads MALLOC_ARENA_MAX and its kin when the process starts, which is over: hence mallopt. One arena keeps freed
    // tensors from lingering in a heap for each thread. Tensors up to 32 MiB come from that heap, and the heap keeps up to
    // 512 MiB for the next step: handed back and mapped anew each time (thresholds of 128 KiB), pages cost nearly half of all
    // CPU time (27 s of system time in 60 s; 3 s of 36 s so) for 230 MiB less memory. Setting either threshold also ends
    // glibc's own adjusting of both, so that speed does not depend on what was freed first.
    private static void LimitArenas()
    {
        try
        {
            Set("MALLOC_ARENA_MAX", NativeMethods.MallocArenaMax, 1);
            Set("MALLOC_MMAP_THRESHOLD_", NativeMethods.MallocMmapThreshold, MappedAboveBytes);
            Set("MALLOC_TRIM_THRESHOLD_", NativeMethods.MallocTrimThreshold, TrimmedAboveBytes);
        }
        catch (EntryPointNotFoundException)
        {
            // musl has no mallopt and no arenas: nothing to limit.
        }

        static void Set(string variable, int parameter, int value)
        {
            if (!Given(variable))
                _ = NativeMethods.mallopt(parameter, value);
        }
    }

    private static bool Given(string name) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name));
}
