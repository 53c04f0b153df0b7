using System.Globalization;

namespace Chorus.Gpu.Runtime;

/// <summary>What OpenMP and malloc must be told before libtorch is loaded.</summary>
internal static class ProcessSettings
{
    private const int ReturnedAboveBytes = 131_072;

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

    // glibc reads MALLOC_ARENA_MAX and its kin when the process starts, which is over: hence mallopt. One arena and fixed
    // thresholds keep freed tensors from lingering in per-thread heaps (770 MB of resident memory became 274 MB).
    private static void LimitArenas()
    {
        try
        {
            Set("MALLOC_ARENA_MAX", NativeMethods.MallocArenaMax, 1);
            Set("MALLOC_MMAP_THRESHOLD_", NativeMethods.MallocMmapThreshold, ReturnedAboveBytes);
            Set("MALLOC_TRIM_THRESHOLD_", NativeMethods.MallocTrimThreshold, ReturnedAboveBytes);
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
