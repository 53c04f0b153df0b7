using System.Collections.Immutable;
using Akka.Actor;
using Chorus.Gpu.Collectives;
using static Chorus.Actors.Training.TrainingProtocol;
using Inbox = Chorus.Gpu.Collectives.Inbox;

namespace Chorus.Actors.Training;

/// <summary>Links between trainers by their actors' messages: within a process by reference, between nodes by Akka's remoting.</summary>
/// <remarks>
/// At most <see cref="Window"/> pieces are on their way to a rank: remoting has no back-pressure of its own, and heartbeats share its connection. Its messages arrive in order
/// or not at all; a missing one is seen by its number, and closes the links.
/// </remarks>
public sealed class ActorLinks : ICollectiveLinks
{
    /// <summary>Pieces on their way to one rank.</summary>
    public const int Window = 8;

    private readonly string _run;
    private readonly int _epoch;
    private readonly ImmutableArray<IActorRef> _trainers;
    private readonly Inbox _inbox;
    private readonly SemaphoreSlim[] _room;
    private readonly long[] _sent, _received;

    /// <param name="trainers">The ranks' actors.</param>
    /// <param name="patience">For how long a rank may be silent while it is waited for.</param>
    public ActorLinks(string run, int epoch, int rank, ImmutableArray<IActorRef> trainers, TimeSpan patience)
    {
        (_run, _epoch, Rank, _trainers, Count) = (run, epoch, rank, trainers, trainers.Length);
        _inbox = new Inbox(Count, patience);
        _room = [.. trainers.Select(_ => new SemaphoreSlim(Window))];
        (_sent, _received) = (new long[Count], new long[Count]);
    }

    public int Rank { get; }

    public int Count { get; }

    /// <summary>Well under the frame of remoting (4 MiB in cluster.conf), and small enough that a sum is made while it is in the cache.</summary>
    public int LargestMessage => 1 << 20;

    public void Send(int to, ReadOnlySpan<byte> bytes)
    {
        try
        {
            _room[to].Wait(_inbox.Closed);
        }
        catch (OperationCanceledException)
        {
            throw _inbox.Broken;
        }
        _trainers[to].Tell(new GroupBytes(_run, _epoch, Rank, to, _sent[to]++, bytes.ToArray()), ActorRefs.NoSender);
    }

    public Message Receive(int from) => _inbox.Take(from);

    /// <summary>Told by the actor what has come; it never waits.</summary>
    public void Put(GroupBytes piece)
    {
        ArgumentNullException.ThrowIfNull(piece);
        if (piece.Number < _received[piece.From])
            return; // doubled
        if (piece.Number > _received[piece.From]++)
        {
            Close($"a message of rank {piece.From} was lost on the way");
            return;
        }
        _inbox.Put(piece.From, new Message(piece.Bytes, piece.Bytes.Length, pooled: false));
        _trainers[piece.From].Tell(new BytesTaken(_run, _epoch, piece.From, piece.To), ActorRefs.NoSender);
    }

    /// <summary>Told by the actor that a rank has taken a piece.</summary>
    public void Taken(int by)
    {
        if (_room[by].CurrentCount < Window)
            _room[by].Release();
    }

    public void Close(string reason) => _inbox.Close(reason);

    public void Dispose() => _inbox.Dispose();
}
