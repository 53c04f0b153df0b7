using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Chorus.Gpu.Checkpoints;
using static Chorus.Benchmarks.BenchmarkModel;

namespace Chorus.Benchmarks;

/// <summary>
/// Time and host memory of loading a checkpoint of random weights that this writes first, beside reading its files once just
/// before, from the page cache where memory suffices for that: into fresh memory, as a model is, and 4 MiB at a time into one
/// buffer that stays in the processor's caches. The peak is the process's own high-water mark (VmHWM, reset before; mapped
/// pages of the files count while they are held).
/// </summary>
internal static class LoadingBenchmark
{
    public static int Run(BenchmarkArguments arguments)
    {
        var (device, type) = Begin(arguments, "cpu");
        var folder = arguments.Text("folder", "");
        if (folder.Length == 0 || Directory.Exists(folder))
            throw new ArgumentException("--folder must name a folder that does not exist yet: it is made and deleted");
        try
        {
            using (var model = New(arguments.Text("shape", "1b"), device, type))
                CausalCheckpoint.Save(model, folder);
            GC.Collect();
            var files = Directory.GetFiles(folder, "*.safetensors");
            double size = files.Sum(f => new FileInfo(f).Length);
            Print($"checkpoint: {size / 1e9:0.00} GB in {files.Length} files");
            for (var repeat = 0; repeat < 2; repeat++)
            {
                double buffered = ReadOnce(files, fresh: false), read = ReadOnce(files, fresh: true);
                long before = ResetPeak();
                var start = Stopwatch.GetTimestamp();
                using var model = CausalCheckpoint.Load(folder, device, new CheckpointLoading { Type = null });
                Wait(device);
                double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
                Print($"files read once in {read:0.00} s ({buffered:0.00} s into one small buffer); loaded in {load:0.00} s, {load / read:0.00} times that ({load / buffered:0.0}); peak host memory {Status("VmHWM") / size:0.00} of the checkpoint's size ({before / 1e6:N0} MB before)");
            }
            return 0;
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    private static unsafe double ReadOnce(string[] files, bool fresh)
    {
        const int Chunk = 4 << 20;
        nuint size = fresh ? (nuint)files.Max(f => new FileInfo(f).Length) + Chunk : Chunk;
        var start = Stopwatch.GetTimestamp();
        foreach (var file in files)
        {
            using var handle = File.OpenHandle(file);
            var memory = (byte*)NativeMemory.Alloc(size);
            long at = 0;
            for (int read; (read = RandomAccess.Read(handle, new Span<byte>(memory + (fresh ? at : 0), Chunk), at)) > 0;)
                at += read;
            NativeMemory.Free(memory);
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static long ResetPeak()
    {
        if (OperatingSystem.IsLinux())
            File.WriteAllText("/proc/self/clear_refs", "5");
        return Status("VmRSS");
    }

    private static long Status(string name) => OperatingSystem.IsLinux()
        ? 1024 * long.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)
        : Process.GetCurrentProcess().PeakWorkingSet64;
}
