using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Collectives;

/// <summary>Sums and copies by the processors, over any links, for tensors on any device: what works everywhere.</summary>
/// <remarks>
/// A thread of its own does the work in the order it came, so that a backward pass goes on meanwhile. Each rank adds up one slice, piece by
/// piece, in the order of the ranks: the result depends on neither timing nor links, and all ranks have the same bits. A tensor on a GPU is carried to
/// the host and back.
/// </remarks>
public sealed class HostCollective : ICollective
{
    /// <summary>For how long a rank may be silent while it is waited for, unless links say otherwise.</summary>
    public static readonly TimeSpan DefaultPatience = TimeSpan.FromMinutes(5);

    private readonly ICollectiveLinks _links;
    private readonly BlockingCollection<Action> _queue = [];
    private readonly Thread _thread;
    private long _exposed;
    private int _disposed;

    /// <param name="links">Disposed with this.</param>
    public HostCollective(ICollectiveLinks links)
    {
        ArgumentNullException.ThrowIfNull(links);
        _links = links;
        _thread = new Thread(Serve) { Name = $"collective {links.Rank}", IsBackground = true };
        _thread.Start();
    }

    public int Rank => _links.Rank;

    public int Count => _links.Count;

    public ICollectiveWork AllReduce(Tensor values)
    {
        CollectiveChecks.Check(values);
        return Begin(values, host =>
        {
            Scatter(host);
            Gather(host);
        });
    }

    public ICollectiveWork ReduceScatter(Tensor values)
    {
        this.SliceOf(values);
        return Begin(values, Scatter);
    }

    public ICollectiveWork AllGather(Tensor values)
    {
        this.SliceOf(values);
        return Begin(values, Gather);
    }

    public ICollectiveWork Broadcast(Tensor values, int root)
    {
        CollectiveChecks.Check(values);
        ArgumentOutOfRangeException.ThrowIfNegative(root);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(root, Count);
        return Begin(values, host =>
        {
            if (Rank == root)
            {
                foreach (int to in Others())
                    Send(host, to, 0, host.Elements);
            }
            else
            {
                Receive(host, root, 0, host.Elements);
            }
        });
    }

    public void Complete() => Begin(null, _ => { }).Wait();

    public void Abort(string reason) => _links.Close(reason);

    public TimeSpan TakeExposed() => Stopwatch.GetElapsedTime(0, Interlocked.Exchange(ref _exposed, 0));

    /// <summary>Ends the thread; work that is under way ends with it.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _queue.CompleteAdding();
        if (!_thread.Join(TimeSpan.FromSeconds(1)))
        {
            _links.Close("the group was ended");
            _thread.Join();
        }
        _links.Dispose();
        _queue.Dispose();
    }

    private Work Begin(Tensor? values, Action<HostMemory> operation)
    {
        var work = new Work(this);
        _queue.Add(() => work.Run(() =>
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            if (values is null)
            {
                operation(default);
                return;
            }
            bool here = values.device_type == DeviceType.CPU;
            var host = here ? values : values.cpu(); // waits for what the device still writes to it
            operation(new HostMemory(host));
            if (!here)
                values.copy_(host);
        }));
        return work;
    }

    private void Serve()
    {
        foreach (var item in _queue.GetConsumingEnumerable())
            item();
    }

    // Everybody sends each slice to the rank that adds it up.
    private void Scatter(HostMemory host)
    {
        foreach (int to in Others())
        {
            var (first, count) = Slice(host.Elements, to);
            Send(host, to, first, count);
        }
        var sum = new HostSum(host.Type);
        var (mine, length) = Slice(host.Elements, Rank);
        foreach (var (at, count) in Pieces(host, mine, length))
        {
            var piece = host.Bytes(at, count);
            for (int rank = 0; rank < Count; rank++)
            {
                if (rank == Rank)
                {
                    sum.Add(piece, rank == 0);
                    continue;
                }
                using var message = Take(rank, piece.Length);
                sum.Add(message.Bytes, rank == 0);
            }
            sum.WriteTo(piece);
        }
    }

    // Everybody sends their slice to all others.
    private void Gather(HostMemory host)
    {
        var (mine, length) = Slice(host.Elements, Rank);
        foreach (int to in Others())
            Send(host, to, mine, length);
        foreach (int from in Others())
        {
            var (first, count) = Slice(host.Elements, from);
            Receive(host, from, first, count);
        }
    }

    // Each begins with the next rank, so that not all send to the same one.
    private IEnumerable<int> Others() => Enumerable.Range(1, Count - 1).Select(i => (Rank + i) % Count);

    private (long First, long Count) Slice(long elements, int rank)
    {
        long first = (long)((Int128)elements * rank / Count);
        return (first, (long)((Int128)elements * (rank + 1) / Count) - first);
    }

    private IEnumerable<(long At, long Count)> Pieces(HostMemory host, long first, long count)
    {
        long step = _links.LargestMessage / host.ElementBytes;
        for (long at = first; at < first + count; at += step)
            yield return (at, Math.Min(step, first + count - at));
    }

    private void Send(HostMemory host, int to, long first, long count)
    {
        foreach (var (at, piece) in Pieces(host, first, count))
            _links.Send(to, host.Bytes(at, piece));
    }

    private void Receive(HostMemory host, int from, long first, long count)
    {
        foreach (var (at, piece) in Pieces(host, first, count))
        {
            var bytes = host.Bytes(at, piece);
            using var message = Take(from, bytes.Length);
            message.Bytes.CopyTo(bytes);
        }
    }

    private Message Take(int from, int length)
    {
        var message = _links.Receive(from);
        if (message.Bytes.Length == length)
            return message;
        _links.Close($"rank {from} sent {message.Bytes.Length} bytes where {length} were due: the ranks do not do the same");
        message.Dispose();
        return _links.Receive(from); // throws
    }

    /// <summary>The memory of a tensor on the host.</summary>
    private readonly unsafe struct HostMemory
    {
        private readonly byte* _address;

        public HostMemory(Tensor tensor)
        {
            (Type, Elements, ElementBytes) = (tensor.dtype, tensor.numel(), (int)tensor.ElementSize);
            if (Elements == 0)
                return;
            fixed (byte* first = tensor.view(-1).narrow(0, 0, 1).bytes)
                _address = first; // native memory: it does not move
        }

        public ScalarType Type { get; }

        public long Elements { get; }

        public int ElementBytes { get; }

        public Span<byte> Bytes(long at, long count) => new(_address + (at * ElementBytes), checked((int)(count * ElementBytes)));
    }

    private sealed class Work(HostCollective owner) : ICollectiveWork
    {
        private readonly ManualResetEventSlim _done = new();
        private ExceptionDispatchInfo? _failure;

        public void Run(Action operation)
        {
            try
            {
                operation();
            }
            catch (Exception e)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
                owner._links.Close(e.Message);
            }
            _done.Set();
        }

        public void Wait()
        {
            if (!_done.IsSet)
            {
                long began = Stopwatch.GetTimestamp();
                _done.Wait();
                Interlocked.Add(ref owner._exposed, Stopwatch.GetTimestamp() - began);
            }
            if (_failure?.SourceException is CollectiveBrokenException broken)
                throw new CollectiveBrokenException(broken.Message, broken);
            _failure?.Throw();
        }
    }
}
