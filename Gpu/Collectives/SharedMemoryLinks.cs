namespace Chorus.Gpu.Collectives;

/// <summary>Links between ranks that are threads of one process.</summary>
public sealed class SharedMemoryLinks : ICollectiveLinks
{
    private readonly Inbox[] _inboxes;

    private SharedMemoryLinks(int rank, Inbox[] inboxes) => (Rank, _inboxes) = (rank, inboxes);

    public int Rank { get; }

    public int Count => _inboxes.Length;

    public int LargestMessage => 1 << 20; // small enough that a sum is made while it is in the cache

    /// <summary>The links of so many ranks; each rank disposes its own.</summary>
    /// <param name="patience">For how long a rank may be silent while it is waited for; null is five minutes.</param>
    public static IReadOnlyList<SharedMemoryLinks> Create(int ranks, TimeSpan? patience = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        Inbox[] inboxes = [.. Enumerable.Range(0, ranks).Select(_ => new Inbox(ranks, patience ?? HostCollective.DefaultPatience))];
        return [.. inboxes.Select((_, rank) => new SharedMemoryLinks(rank, inboxes))];
    }

    public void Send(int to, ReadOnlySpan<byte> bytes)
    {
        if (_inboxes[Rank].Closed.IsCancellationRequested)
            throw _inboxes[Rank].Broken;
        _inboxes[to].Put(Rank, Message.Copy(bytes));
    }

    public Message Receive(int from) => _inboxes[Rank].Take(from);

    public void Close(string reason)
    {
        foreach (var inbox in _inboxes)
            inbox.Close(reason);
    }

    /// <summary>Others that still wait for this rank learn that it has left; what it sent before still arrives.</summary>
    public void Dispose()
    {
        foreach (var inbox in _inboxes)
            inbox.Leave(Rank);
        _inboxes[Rank].Dispose();
    }
}
