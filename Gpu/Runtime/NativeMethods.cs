using System.Runtime.InteropServices;

namespace Chorus.Gpu.Runtime;

/// <summary>The C library, as far as the start of libtorch needs it.</summary>
internal static partial class NativeMethods
{
    // M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of mallopt(3): https://man7.org/linux/man-pages/man3/mallopt.3.html
    internal const int MallocTrimThreshold = -1, MallocMmapThreshold = -3, MallocArenaMax = -8;

    // https://man7.org/linux/man-pages/man3/setenv.3.html
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int setenv(string name, string value, int overwrite);

    // https://man7.org/linux/man-pages/man3/mallopt.3.html; 1 is success
    [LibraryImport("libc", EntryPoint = "mallopt")]
    internal static partial int mallopt(int param, int value);
}
