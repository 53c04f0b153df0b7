using System.Collections.Concurrent;

namespace Chorus.Gpu.Collectives;

/// <summary>What has come for one rank from each of the others, until it is asked for.</summary>
/// <param name="ranks">How many ranks there are.</param>
/// <param name="patience">For how long a rank may be silent while it is waited for.</param>
public sealed class Inbox(int ranks, TimeSpan patience) : IDisposable
{
    private readonly BlockingCollection<Message>[] _from = [.. Enumerable.Range(0, ranks).Select(_ => new BlockingCollection<Message>())];
    private readonly CancellationTokenSource _closed = new();
    private string? _reason;

    /// <summary>Cancelled when the inbox is closed.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>The error for who still asks.</summary>
    public CollectiveBrokenException Broken => new(_reason ?? "the group was ended");

    /// <summary>From any thread. A message for a closed inbox is dropped.</summary>
    public void Put(int from, Message message)
    {
        if (_closed.IsCancellationRequested || _from[from].IsAddingCompleted)
            message.Dispose();
        else
            _from[from].Add(message);
    }

    /// <summary>Nothing more will come of that rank; what it sent may still be taken.</summary>
    public void Leave(int from) => _from[from].CompleteAdding();

    /// <summary>The next message of a rank, in the order that they were put.</summary>
    /// <exception cref="CollectiveBrokenException">Closed, or nothing came for too long.</exception>
    public Message Take(int from)
    {
        try
        {
            if (_from[from].TryTake(out var message, (int)patience.TotalMilliseconds, _closed.Token))
                return message;
        }
        catch (OperationCanceledException)
        {
            throw Broken;
        }
        Close(_from[from].IsCompleted ? $"rank {from} has left the group" : $"rank {from} sent nothing for {patience.TotalSeconds:0} s");
        throw Broken;
    }

    /// <summary>Ends all that waits; only the first reason counts.</summary>
    public void Close(string reason)
    {
        if (Interlocked.CompareExchange(ref _reason, reason, null) is null)
            _closed.Cancel();
    }

    public void Dispose()
    {
        Close("the group was ended");
        foreach (var queue in _from)
        {
            while (queue.TryTake(out var left))
                left.Dispose();
        }
    }
}
