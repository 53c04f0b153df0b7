using System.Collections.Concurrent;
using TorchSharp;

namespace Chorus.Gpu.Runtime;

/// <summary>One device's own thread: work given to it runs there, one at a time, in the order it came.</summary>
/// <remarks>
/// Dispose scopes, no_grad and the operator thread count of libtorch belong to a thread, so a device's tensors are made, used
/// and disposed on one thread only. Work must not await: what follows an await runs elsewhere.
/// </remarks>
public sealed class DeviceThread : IAsyncDisposable
{
    private readonly BlockingCollection<Action> _queue = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private int _disposed;

    /// <summary>Starts the thread; libtorch is prepared on it before the first work runs, where it is needed.</summary>
    /// <param name="name">The thread's name, for debuggers and dumps.</param>
    /// <param name="torchThreads">Threads of an operator run here, 1 or more; 0 takes all cores; null: the work needs no libtorch, and it is not loaded.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="torchThreads"/> is negative.</exception>
    public DeviceThread(string name, int? torchThreads)
    {
        if (torchThreads < 0)
            throw new ArgumentOutOfRangeException(nameof(torchThreads), $"torchThreads must be 0 (all cores) or more, got {torchThreads}");
        _thread = new Thread(() => Serve(torchThreads)) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Runs the work on this thread and gives its result, or its exception, to the task.</summary>
    /// <param name="work">Synchronous work.</param>
    /// <param name="ct">Cancels the work if it has not begun; work that has begun must look at the token itself.</param>
    /// <exception cref="ObjectDisposedException">The thread was disposed.</exception>
    /// <exception cref="TorchLoadException">(from the task) libtorch could not be loaded.</exception>
    public Task<T> Run<T>(Func<T> work, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        // Continuations run on the pool: run here they would hold the device up, or deadlock by waiting for it.
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Enqueue(() => Complete(completion, work, ct));
        return completion.Task;
    }

    /// <inheritdoc cref="Run{T}(Func{T}, CancellationToken)"/>
    public Task Run(Action work, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Run(() => { work(); return true; }, ct);
    }

    /// <summary>Takes no more work, finishes what was given, and ends the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _queue.CompleteAdding();
        await _ended.Task.ConfigureAwait(false);
    }

    private void Enqueue(Action item)
    {
        try
        {
            _queue.Add(item);
        }
        catch (InvalidOperationException) when (_queue.IsAddingCompleted)
        {
            throw new ObjectDisposedException(nameof(DeviceThread), $"device thread {_thread.Name} was disposed and takes no more work");
        }
    }

    private void Complete<T>(TaskCompletionSource<T> completion, Func<T> work, CancellationToken ct)
    {
        if (ct.IsCancellationRequested)
        {
            completion.SetCanceled(ct);
            return;
        }
        try
        {
            if (_notReady is { } reason)
                throw reason;
            completion.SetResult(work());
        }
        catch (OperationCanceledException e) when (e.CancellationToken == ct && ct.IsCancellationRequested)
        {
            completion.SetCanceled(ct);
        }
        catch (Exception e)
        {
            completion.SetException(e);
        }
    }

    private TorchLoadException? _notReady; // written and read on the thread alone

    private void Serve(int? torchThreads)
    {
        try
        {
            if (torchThreads is { } threads)
                PrepareTorch(threads);
        }
        catch (TorchLoadException e)
        {
            _notReady = e; // each piece of work reports it: an exception that leaves a thread would end the process
        }
        foreach (var item in _queue.GetConsumingEnumerable())
            item();
        _ended.SetResult();
    }

    private static void PrepareTorch(int threads)
    {
        TorchRuntime.Prepare(threads);
        torch.set_num_threads(threads == 0 ? Environment.ProcessorCount : threads);
    }
}
