using System.Security.Cryptography;
using Akka.Actor;
using Akka.Event;
using Chorus.Actors.Hosting;
using static Chorus.Actors.Candidates.CandidateProtocol;

namespace Chorus.Actors.Candidates;

/// <summary>
/// One a node: fetches a round's array once, checks its hash and holds what is made of it for all clients of the node. Chunks
/// are asked for one after another, so a slow node is never flooded, and asked for again when one is lost.
/// </summary>
public sealed class CandidateCacheActor : UntypedActor, IWithTimers
{
    private const string RetryKey = "retry";

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly IActorRef _coordinator;
    private readonly TimeSpan _retry;
    private readonly List<IActorRef> _waiting = [];
    private WorkHeld? _held;
    private GetWork? _wanted;
    private (string Run, int Round) _newest = ("", 0);
    private MemoryStream _received = new();
    private int _next;

    public CandidateCacheActor(IActorRef coordinator, TimeSpan retry) => (_coordinator, _retry) = (coordinator, retry);

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="coordinator">The run coordinator, or its proxy.</param>
    /// <param name="retry">How long to wait for a chunk before asking again.</param>
    public static Props Props(IActorRef coordinator, TimeSpan retry) =>
        Akka.Actor.Props.Create(() => new CandidateCacheActor(coordinator, retry));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case GetWork get when get.Sha256 == _held?.Sha256:
                Sender.Tell(_held);
                break;
            case GetWork get when get.Run == _newest.Run && get.Round < _newest.Round:
                break; // of a block that got an old lease late: its round is over, nobody serves its candidates
            case GetWork get:
                if (get.Sha256 != _wanted?.Sha256)
                {
                    _waiting.Clear(); // of an older round: their blocks have been leased anew
                    Start(get);
                }

                _waiting.Add(Sender);
                break;
            case Chunk chunk when chunk.Sha256 == _wanted?.Sha256 && chunk.Index == _next:
                _received.Write(chunk.Bytes);
                _next++;
                if (_next < chunk.Count)
                    AskNext();
                else
                    Complete();
                break;
            case Retry when _wanted is not null:
                AskNext();
                break;
            case WorkHeld made when made.Sha256 == _wanted?.Sha256:
                (_held, _wanted) = (made, null);
                Answer(made);
                break;
            case Damaged damaged when damaged.Sha256 == _wanted?.Sha256:
                _log.Warning("the array of round {0} arrived damaged; fetching it again", _wanted.Round);
                Start(_wanted);
                break;
            case MakeFailed failed when failed.Sha256 == _wanted?.Sha256:
                _log.Error("this node cannot do the work of round {0}: {1}", _wanted.Round, failed.Reason);
                Answer(new NodeUnfit(_wanted.Run, failed.Reason));
                _wanted = null;
                break;
            case Chunk or Retry or WorkHeld or Damaged or MakeFailed:
                break; // late or doubled, or of an array that nobody wants any more
            default:
                Unhandled(message);
                break;
        }
    }

    private void Start(GetWork wanted)
    {
        _wanted = wanted;
        _newest = (wanted.Run, wanted.Round);
        _received = new MemoryStream();
        _next = 0;
        AskNext();
    }

    private void AskNext()
    {
        _coordinator.Tell(new GetChunk(_wanted!.Run, _wanted.Round, _wanted.Sha256, _next));
        Timers.StartSingleTimer(RetryKey, Retry.Instance, _retry);
    }

    /// <summary>Checks the array and makes the work, which for many candidates takes seconds, elsewhere.</summary>
    private void Complete()
    {
        Timers.Cancel(RetryKey);
        var (wanted, bytes) = (_wanted!, _received.GetBuffer().AsMemory(0, (int)_received.Length));
        (_received, _held) = (new MemoryStream(), null);
        Task.Run<object>(() => Convert.ToHexStringLower(SHA256.HashData(bytes.Span)) == wanted.Sha256
            ? new WorkHeld(wanted.Sha256, wanted.Make(bytes))
            : new Damaged(wanted.Sha256)).PipeTo(Self, success: made => made, failure: e => new MakeFailed(wanted.Sha256, e.GetBaseException().Message));
    }

    private void Answer(object answer)
    {
        foreach (var waiting in _waiting)
            waiting.Tell(answer);
        _waiting.Clear();
    }

    private sealed record Damaged(string Sha256);

    private sealed record MakeFailed(string Sha256, string Reason);

    private sealed class Retry
    {
        public static Retry Instance { get; } = new();
    }
}
