using System.Diagnostics;
using Chorus.Gpu.Cuda;
using static Chorus.Gpu.Cuda.DriverApi;
using static TorchSharp.torch;

namespace Chorus.Gpu.Collectives;

/// <summary>Sums and copies by NCCL, between GPUs of one process, of several, or of several machines.</summary>
/// <remarks>
/// Work runs on a stream of its own: it begins when torch's stream has come to where it was called, and torch's stream waits for it where
/// <see cref="ICollectiveWork.Wait"/> is called; the host waits for neither. The communicator never blocks the host. A thread watches it, and
/// ends it when NCCL reports an error or a call is not done in time: a kernel that waits for a peer which is gone would else wait for ever.
/// The order of a sum is NCCL's; it is the same each time on one set of GPUs.
/// </remarks>
public sealed class NcclCollective : ICollective
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly CudaDevice _device;
    private readonly TimeSpan _patience;
    private readonly Stack<nint> _events = new(), _timedEvents = new();
    private readonly Queue<Work> _underWay = new();
    private readonly Queue<(nint From, nint To)> _stalls = new();
    private readonly Thread _watch;
    private readonly ManualResetEventSlim _look = new(); // the watch need not wait for its next glance
    private readonly nint _stream;
    private nint _comm;
    private string? _broken;
    private double _stalledMs;
    private bool _disposed;

    /// <summary>Joins the communicator; returns when every rank has.</summary>
    /// <param name="id">Of <see cref="NewId"/>, the same for all ranks.</param>
    /// <param name="device">The rank's GPU.</param>
    /// <param name="patience">For how long a call may be under way, and joining may take; null is five minutes.</param>
    /// <param name="ct">Ends the joining.</param>
    /// <exception cref="CollectiveBrokenException">Not every rank came in time, or NCCL failed.</exception>
    /// <exception cref="CudaException">NCCL is not on this machine.</exception>
    public NcclCollective(ReadOnlySpan<byte> id, int rank, int count, Device device, TimeSpan? patience = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (!Available)
            throw new CudaException("NCCL (libnccl.so.2) is not on this machine, or not in the loader's path (LD_LIBRARY_PATH)");
        (Rank, Count, _patience) = (rank, count, patience ?? HostCollective.DefaultPatience);
        _device = CudaDevice.Of(Math.Max(0, device.index));
        _device.MakeCurrent();
        var config = new NcclApi.Config(blocking: false);
        NcclApi.Check(NcclApi.ncclCommInitRankConfig(out _comm, count, NcclApi.UniqueId.From(id), rank, config), nameof(NcclApi.ncclCommInitRankConfig));
        try
        {
            Settle($"the {count} ranks of the group did not come together", ct);
        }
        catch
        {
            _ = NcclApi.ncclCommAbort(_comm);
            throw;
        }
        Check(cuStreamCreate(out _stream, StreamNonBlocking), nameof(cuStreamCreate));
        _watch = new Thread(Watch) { Name = $"nccl watch {rank}", IsBackground = true };
        _watch.Start();
    }

    /// <summary>Whether this machine has NCCL and the driver.</summary>
    public static bool Available => TryLoad() && NcclApi.Available;

    /// <summary>NCCL's version, as 22703 for 2.27.3.</summary>
    public static int Version
    {
        get
        {
            NcclApi.Check(NcclApi.ncclGetVersion(out int version), nameof(NcclApi.ncclGetVersion));
            return version;
        }
    }

    /// <summary>128 bytes by which the ranks of one communicator find each other; one rank makes them, and carries them to the others.</summary>
    public static byte[] NewId()
    {
        NcclApi.Check(NcclApi.ncclGetUniqueId(out var id), nameof(NcclApi.ncclGetUniqueId));
        return id.ToArray();
    }

    public int Rank { get; }

    public int Count { get; }

    public ICollectiveWork AllReduce(Tensor values)
    {
        CollectiveChecks.Check(values);
        return Begin(values, (address, bytes) => NcclApi.ncclAllReduce(address, address, (nuint)values.numel(), TypeOf(values), NcclApi.Sum, _comm, _stream), nameof(NcclApi.ncclAllReduce));
    }

    public ICollectiveWork ReduceScatter(Tensor values)
    {
        long slice = this.SliceOf(values);
        return Begin(
            values, (address, bytes) => NcclApi.ncclReduceScatter(address, address + (nint)(Rank * slice * bytes), (nuint)slice, TypeOf(values), NcclApi.Sum, _comm, _stream),
            nameof(NcclApi.ncclReduceScatter));
    }

    public ICollectiveWork AllGather(Tensor values)
    {
        long slice = this.SliceOf(values);
        return Begin(
            values, (address, bytes) => NcclApi.ncclAllGather(address + (nint)(Rank * slice * bytes), address, (nuint)slice, TypeOf(values), _comm, _stream),
            nameof(NcclApi.ncclAllGather));
    }

    public ICollectiveWork Broadcast(Tensor values, int root)
    {
        CollectiveChecks.Check(values);
        return Begin(values, (address, bytes) => NcclApi.ncclBroadcast(address, address, (nuint)values.numel(), TypeOf(values), root, _comm, _stream), nameof(NcclApi.ncclBroadcast));
    }

    public void Complete()
    {
        while (true)
        {
            lock (_gate)
            {
                ThrowIfBroken();
                Sweep();
                if (_underWay.Count == 0)
                    return;
            }
            Thread.Sleep(1); // the watch ends what does not come to an end
        }
    }

    public void Abort(string reason)
    {
        // Said without the gate: who waits inside for NCCL sees it and lets go.
        Interlocked.CompareExchange(ref _broken, reason, null);
        _look.Set();
    }

    public TimeSpan TakeExposed()
    {
        lock (_gate)
        {
            _device.MakeCurrent();
            Sweep();
            var stalled = TimeSpan.FromMilliseconds(_stalledMs);
            _stalledMs = 0;
            return stalled;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
        }
        _look.Set();
        _watch.Join();
        _device.MakeCurrent();
        if (_comm != 0)
        {
            // Peers that are gone would be waited for: what is not finished in a second is aborted.
            long began = Stopwatch.GetTimestamp();
            int status = NcclApi.ncclCommFinalize(_comm);
            while (status == NcclApi.InProgress && Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(1))
            {
                Thread.Sleep(1);
                if (NcclApi.ncclCommGetAsyncError(_comm, out status) != 0)
                    break;
            }
            _ = status == 0 ? NcclApi.ncclCommDestroy(_comm) : NcclApi.ncclCommAbort(_comm);
            _comm = 0;
        }
        _ = cuStreamDestroy_v2(_stream);
        foreach (var @event in _underWay.Select(w => w.Done).Concat(_events).Concat(_timedEvents).Concat(_stalls.SelectMany(s => new[] { s.From, s.To })))
            _ = cuEventDestroy_v2(@event);
    }

    private ICollectiveWork Begin(Tensor values, Func<nint, int, int> call, string name)
    {
        lock (_gate)
        {
            ThrowIfBroken();
            ObjectDisposedException.ThrowIf(_disposed, this);
            _device.MakeCurrent();
            nint ready = Event();
            Check(cuEventRecord(ready, 0), nameof(cuEventRecord)); // torch's stream
            Check(cuStreamWaitEvent(_stream, ready, 0), nameof(cuStreamWaitEvent));
            _events.Push(ready); // recorded anew, it changes nothing for who waits already
            int status = call(TensorMemory.AddressOf(values), (int)values.ElementSize);
            if (status == NcclApi.InProgress)
                Settle($"{name} did not begin");
            else if (status != 0)
                throw Failed($"{name}: {NcclApi.Describe(status, _comm)}");
            var work = new Work(this, Event(), Stopwatch.GetTimestamp());
            Check(cuEventRecord(work.Done, _stream), nameof(cuEventRecord));
            _underWay.Enqueue(work);
            return work;
        }
    }

    // Until NCCL has done on the host what it was asked for: joining, or the launch of a kernel.
    private void Settle(string otherwise, CancellationToken ct = default)
    {
        long began = Stopwatch.GetTimestamp();
        var wait = new SpinWait();
        while (true)
        {
            NcclApi.Check(NcclApi.ncclCommGetAsyncError(_comm, out int status), nameof(NcclApi.ncclCommGetAsyncError));
            if (status == 0)
                return;
            if (status != NcclApi.InProgress)
                throw Failed(NcclApi.Describe(status, _comm));
            ThrowIfBroken();
            if (ct.IsCancellationRequested)
                throw Failed("the group was ended");
            if (Stopwatch.GetElapsedTime(began) > _patience)
                throw Failed($"{otherwise} within {_patience.TotalSeconds:0} s");
            wait.SpinOnce(sleep1Threshold: -1);
        }
    }

    private CollectiveBrokenException Failed(string reason)
    {
        Abort(reason);
        return new CollectiveBrokenException(_broken!);
    }

    // Takes back the events of what is done, in the order that it was called.
    private void Sweep()
    {
        while (_underWay.TryPeek(out var work) && work.Ask())
            _events.Push(_underWay.Dequeue().Done);
        while (_stalls.TryPeek(out var stall) && cuEventQuery(stall.To) != NotReady)
        {
            if (cuEventElapsedTime(out float passed, stall.From, stall.To) == 0)
                _stalledMs += passed;
            _stalls.Dequeue();
            _timedEvents.Push(stall.From);
            _timedEvents.Push(stall.To);
        }
    }

    private void Watch()
    {
        _device.MakeCurrent();
        while (true)
        {
            _look.Wait(Glance);
            lock (_gate)
            {
                if (_disposed)
                    return;
                Sweep();
                if (Trouble() is not { } trouble)
                    continue;
                Abort(trouble);
                // Kernels that wait for a peer end, and what torch has queued behind them runs.
                _ = NcclApi.ncclCommAbort(_comm);
                _comm = 0;
                return;
            }
        }
    }

    private string? Trouble() => _broken
        ?? (NcclApi.ncclCommGetAsyncError(_comm, out int status) != 0 || status is not (0 or NcclApi.InProgress) ? $"NCCL: {NcclApi.Describe(status, _comm)}"
        : _underWay.TryPeek(out var oldest) && Stopwatch.GetElapsedTime(oldest.Begun) > _patience ? $"a rank did not take part for {_patience.TotalSeconds:0} s"
        : null);

    private void ThrowIfBroken()
    {
        if (_broken is { } reason)
            throw new CollectiveBrokenException(reason);
    }

    private nint Event() => Take(_events, EventDisableTiming);

    private static nint Take(Stack<nint> free, uint flags)
    {
        if (free.TryPop(out nint used))
            return used;
        Check(cuEventCreate(out nint made, flags), nameof(cuEventCreate));
        return made;
    }

    private static int TypeOf(Tensor values) => values.dtype switch
    {
        ScalarType.Byte => 1,
        ScalarType.Int32 => 2,
        ScalarType.Int64 => 4,
        ScalarType.Float16 => 6,
        ScalarType.Float32 => 7,
        ScalarType.Float64 => 8,
        ScalarType.BFloat16 => 9,
        var other => throw new NotSupportedException($"NCCL does not carry {other}"),
    };

    private sealed class Work(NcclCollective owner, nint done, long begun) : ICollectiveWork
    {
        private bool _isDone; // under the gate

        public nint Done => done;

        public long Begun => begun;

        /// <summary>Looks whether the device has come so far. After that the event serves another call.</summary>
        public bool Ask() => _isDone = cuEventQuery(done) != NotReady;

        public void Wait()
        {
            lock (owner._gate)
            {
                owner.ThrowIfBroken();
                if (_isDone)
                    return;
                owner._device.MakeCurrent();
                nint from = Take(owner._timedEvents, 0), to = Take(owner._timedEvents, 0);
                Check(cuEventRecord(from, 0), nameof(cuEventRecord));
                Check(cuStreamWaitEvent(0, done, 0), nameof(cuStreamWaitEvent));
                Check(cuEventRecord(to, 0), nameof(cuEventRecord));
                owner._stalls.Enqueue((from, to));
            }
        }
    }
}
