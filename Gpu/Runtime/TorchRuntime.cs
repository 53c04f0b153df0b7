using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>Makes libtorch ready in this process: settings, the native library's mend, loading.</summary>
/// <remarks>State of the process, and so static: libtorch can be loaded once in a process and not unloaded.</remarks>
public static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static int _threads;
    private static string? _folder;

    /// <summary>Threads that each operator of libtorch uses; 0 before <see cref="Prepare"/>.</summary>
    public static int Threads => Volatile.Read(ref _threads);

    /// <summary>The folder libtorch was loaded from; null before <see cref="Prepare"/>.</summary>
    public static string? Folder => Volatile.Read(ref _folder);

    /// <summary>
    /// Loads libtorch with passive OpenMP threads and few malloc arenas; must run before any other call into TorchSharp.
    /// The first call that succeeds decides, later calls do nothing. Any thread may call it.
    /// </summary>
    /// <param name="threads">Threads of an operator, 1 or more; 0 takes all cores. Where runs must repeat, fix it.</param>
    /// <remarks>
    /// Environment: OMP_WAIT_POLICY, OMP_NUM_THREADS, MKL_NUM_THREADS, MALLOC_ARENA_MAX, MALLOC_MMAP_THRESHOLD_ and
    /// MALLOC_TRIM_THRESHOLD_ are respected where set. CHORUS_LIBTORCH names a folder whose libtorch (that of a CUDA build of
    /// PyTorch, say) is taken instead of the one that came with the program.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is negative.</exception>
    /// <exception cref="TorchLoadException">A native library is missing or does not load.</exception>
    public static void Prepare(int threads = 0)
    {
        if (threads < 0)
            throw new ArgumentOutOfRangeException(nameof(threads), $"threads must be 0 (all cores) or more, got {threads}");
        if (Threads > 0)
            return;
        lock (Gate)
        {
            if (_threads > 0)
                return;
            var count = threads == 0 ? Environment.ProcessorCount : threads;
            ProcessSettings.Apply(count);
            var folder = NativeLibraries.Load();
            torch.set_num_threads(count);
            Volatile.Write(ref _folder, folder);
            Volatile.Write(ref _threads, count);
        }
    }
}
