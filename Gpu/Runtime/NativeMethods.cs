using System.Runtime.InteropServices;

namespace Chorus.Gpu.Runtime;

/// <summary>The C library, as far as the start of libtorch and mapped files need it.</summary>
internal static partial class NativeMethods
{
    // M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of mallopt(3): https://man7.org/linux/man-pages/man3/mallopt.3.html
    internal const int MallocTrimThreshold = -1, MallocMmapThreshold = -3, MallocArenaMax = -8;

    // MADV_DONTNEED and MADV_POPULATE_READ (Linux 5.14; an error before) of madvise(2)
    internal const int AdviseNotNeeded = 4, AdvisePopulateRead = 22;

    // https://man7.org/linux/man-pages/man3/setenv.3.html
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int setenv(string name, string value, int overwrite);

    // https://man7.org/linux/man-pages/man3/mallopt.3.html; 1 is success
    [LibraryImport("libc", EntryPoint = "mallopt")]
    internal static partial int mallopt(int param, int value);

    // https://man7.org/linux/man-pages/man2/madvise.2.html; 0 is success
    [LibraryImport("libc", EntryPoint = "madvise")]
    internal static partial int madvise(nint address, nint length, int advice);
}
