using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Chorus.Gpu.Runtime;
using static Chorus.Gpu.Cuda.DriverApi;
using static TorchSharp.torch;

namespace Chorus.Gpu.Cuda;

/// <summary>Work on a GPU that is recorded once and then repeated with one call: what a model of small layers costs is otherwise the launching.</summary>
/// <remarks>
/// TorchSharp has neither streams nor graphs, so libtorch's own (c10::cuda, at::cuda::CUDAGraph) are called by their C++ names, in the
/// Itanium ABI of Linux. A name that is not there (another version) makes graphs unavailable, never wrong. What is recorded must read
/// and write fixed tensors and must not wait for the host; an exception in it ends the process.
/// </remarks>
internal sealed unsafe class CudaGraph : IDisposable
{
    private const int ObjectBytes = 4096;   // of a CUDAGraph, which is a few hundred
    private const int RelaxedCapture = 2;   // cudaStreamCaptureModeRelaxed: other threads may go on as they like

    private static readonly Functions? Native = Functions.Find();
    private static readonly ConcurrentDictionary<int, TorchStream.Stream> Streams = new();

    private readonly byte* _graph;
    private bool _recorded;

    public CudaGraph()
    {
        if (!Available)
            throw new CudaException("CUDA graphs are not to be had from this libtorch");
        _graph = (byte*)NativeMemory.AlignedAlloc(ObjectBytes, 64);
        new Span<byte>(_graph, ObjectBytes).Clear();
        Native!.Construct(_graph, 0);
    }

    /// <summary>Whether this process' libtorch has what is needed.</summary>
    public static bool Available => Native is not null;

    /// <summary>Runs work on a stream of its own, which recording needs; all that went before is done before, and all of it is done after.</summary>
    public static void OnOwnStream(Device device, Action work)
    {
        using var at = new CurrentDevice(device);
        var before = Native!.Current(at.Index);
        cuda.synchronize(device);
        Native.SetCurrent(Native.FromPool(0, at.Index));
        try
        {
            work();
        }
        finally
        {
            cuda.synchronize(device);
            Native.SetCurrent(before);
        }
    }

    /// <summary>The same for many short pieces of work: the device keeps them in order with what is on the thread's stream before and after, and the host waits for nothing.</summary>
    public static void Between(Device device, Action work)
    {
        using var at = new CurrentDevice(device);
        var before = Native!.Current(at.Index);
        var own = Streams.GetOrAdd(at.Index, i => Native.FromPool(0, (sbyte)i));
        Order(at.Index, before, own);
        Native.SetCurrent(own);
        try
        {
            work();
        }
        finally
        {
            Native.SetCurrent(before);
            Order(at.Index, own, before);
        }
    }

    // What is on the first stream now is done before what comes on the second.
    private static void Order(int device, TorchStream.Stream first, TorchStream.Stream second)
    {
        CudaDevice.Of(device).MakeCurrent();
        Check(cuEventCreate(out var reached, EventDisableTiming), nameof(cuEventCreate));
        Check(cuEventRecord(reached, TorchStream.HandleOf(first)), nameof(cuEventRecord));
        Check(cuStreamWaitEvent(TorchStream.HandleOf(second), reached, 0), nameof(cuStreamWaitEvent));
        Check(cuEventDestroy_v2(reached), nameof(cuEventDestroy_v2)); // once it has been reached
    }

    /// <summary>Records what the work launches, without running it.</summary>
    public void Record(Action work)
    {
        Native!.Begin(_graph, 0, 0, RelaxedCapture);
        try
        {
            work();
        }
        finally
        {
            Native.End(_graph);
            _recorded = true;
        }
    }

    /// <summary>Runs what was recorded; returns at once.</summary>
    public void Replay()
    {
        if (!_recorded)
            throw new InvalidOperationException("nothing was recorded");
        Native!.Replay(_graph);
    }

    public void Dispose()
    {
        Native!.Destruct(_graph);
        NativeMemory.AlignedFree(_graph);
    }

    /// <summary>For as long as it lives the thread's current device is this one, whose stream recording and replaying take; setting a stream does not change it.</summary>
    /// <remarks>
    /// Where libtorch has never used the device that a thread came from, it remembers that device by itself and leaves the driver's context, so that
    /// the context alone does not say (c10::cuda::MaybeExchangeDevice). So libtorch is told.
    /// </remarks>
    private readonly ref struct CurrentDevice
    {
        private readonly sbyte _before;

        public CurrentDevice(Device device)
        {
            Index = (sbyte)Math.Max(0, device.index);
            _before = Native!.Exchange is null ? Index : Native.Exchange(Index);
            CudaDevice.Of(Index).MakeCurrent();
        }

        public sbyte Index { get; }

        public void Dispose()
        {
            if (Native!.MaybeExchange is not null)
                _ = Native.MaybeExchange(_before);
        }
    }

    private sealed class Functions
    {
        public readonly delegate* unmanaged<sbyte, sbyte> Exchange, MaybeExchange; // null where they are not: then the driver's context alone is set
        public readonly delegate* unmanaged<sbyte, TorchStream.Stream> Current;
        public readonly delegate* unmanaged<byte, sbyte, TorchStream.Stream> FromPool;
        public readonly delegate* unmanaged<TorchStream.Stream, void> SetCurrent;
        public readonly delegate* unmanaged<byte*, byte, void> Construct;
        public readonly delegate* unmanaged<byte*, void> Destruct;
        public readonly delegate* unmanaged<byte*, ulong, ulong, int, void> Begin;
        public readonly delegate* unmanaged<byte*, void> End;
        public readonly delegate* unmanaged<byte*, void> Replay;

        private Functions(nint core, nint cudaLibrary)
        {
            if (NativeLibrary.TryGetExport(core, "_ZN3c104cuda14ExchangeDeviceEa", out var exchange) && NativeLibrary.TryGetExport(core, "_ZN3c104cuda19MaybeExchangeDeviceEa", out var maybe))
            {
                Exchange = (delegate* unmanaged<sbyte, sbyte>)exchange;
                MaybeExchange = (delegate* unmanaged<sbyte, sbyte>)maybe;
            }
            Current = (delegate* unmanaged<sbyte, TorchStream.Stream>)NativeLibrary.GetExport(core, "_ZN3c104cuda20getCurrentCUDAStreamEa");
            FromPool = (delegate* unmanaged<byte, sbyte, TorchStream.Stream>)NativeLibrary.GetExport(core, "_ZN3c104cuda17getStreamFromPoolEba");
            SetCurrent = (delegate* unmanaged<TorchStream.Stream, void>)NativeLibrary.GetExport(core, "_ZN3c104cuda20setCurrentCUDAStreamENS0_10CUDAStreamE");
            Construct = (delegate* unmanaged<byte*, byte, void>)NativeLibrary.GetExport(cudaLibrary, "_ZN2at4cuda9CUDAGraphC1Eb");
            Destruct = (delegate* unmanaged<byte*, void>)NativeLibrary.GetExport(cudaLibrary, "_ZN2at4cuda9CUDAGraphD1Ev");
            Begin = (delegate* unmanaged<byte*, ulong, ulong, int, void>)NativeLibrary.GetExport(cudaLibrary, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
            End = (delegate* unmanaged<byte*, void>)NativeLibrary.GetExport(cudaLibrary, "_ZN2at4cuda9CUDAGraph11capture_endEv");
            Replay = (delegate* unmanaged<byte*, void>)NativeLibrary.GetExport(cudaLibrary, "_ZN2at4cuda9CUDAGraph6replayEv");
        }

        public static Functions? Find()
        {
            if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64 || TorchRuntime.Folder is not { } folder
                || !NativeLibrary.TryLoad(Path.Combine(folder, "libc10_cuda.so"), out var core)
                || !NativeLibrary.TryLoad(Path.Combine(folder, "libtorch_cuda.so"), out var cudaLibrary))
                return null;
            try
            {
                return new Functions(core, cudaLibrary);
            }
            catch (EntryPointNotFoundException)
            {
                return null;
            }
        }
    }
}
