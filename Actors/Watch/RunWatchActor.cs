using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Chorus.Actors.Hosting;
using static Chorus.Actors.Runs.RunProtocol;
using static Chorus.Actors.Watch.RunWatchProtocol;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Actors.Watch;

/// <summary>
/// Watches a run from the coordinator's node and hands each new view of it to whoever shows it. It asks nothing of the
/// coordinator: progress and cluster events are published anyway, what is durable is read from the journal. While nobody
/// looks it costs a few messages; while somebody does, a view a second.
/// </summary>
public sealed class RunWatchActor : UntypedActor, IWithTimers
{
    private const string TickKey = "tick";
    private const string History = "what is done";

    private const int LeaseSeconds = 15;
    private const int LeaseAgainEvery = 5;

    private static readonly TimeSpan TickEvery = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly Action<RunView> _show;
    private readonly TimeProvider _time;
    private readonly Queue<Func<RunView, DateTimeOffset, RunView>> _withHistory = []; // what is shown together with what is done by then
    private RunView _view;
    private int _pages;
    private int _ticks;
    private bool _reading;
    private bool _readAgain;
    private bool _budgetAsked;

    public RunWatchActor(RunFacts facts, Action<RunView> show, TimeProvider time)
    {
        (_show, _time) = (show, time);
        _view = new RunView { Facts = facts, At = time.GetUtcNow(), StepSince = time.GetUtcNow() };
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="facts">The run.</param>
    /// <param name="show">Given each new view, on the actor's thread: it must not wait.</param>
    /// <param name="time">The clock.</param>
    public static Props Props(RunFacts facts, Action<RunView> show, TimeProvider time) =>
        Akka.Actor.Props.Create(() => new RunWatchActor(facts, show, time));

    protected override void PreStart()
    {
        foreach (var type in (Type[])[typeof(RunProgress), typeof(StepBegan), typeof(RunEnded), typeof(HoldChanged), typeof(Warning), typeof(Error)])
            Context.System.EventStream.Subscribe(Self, type);
        _cluster.Subscribe(
            Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));
        _show(_view);
    }

    protected override void PostStop()
    {
        Context.System.EventStream.Unsubscribe(Self);
        _cluster.Unsubscribe(Self);
    }

    protected override void OnReceive(object message)
    {
        var before = _view;
        var now = _time.GetUtcNow();
        switch (message)
        {
            case RunProgress progress:
                _view = _view.With(progress, now);
                break;
            case StepBegan began:
                _view = _view.With(began, now);
                Read(); // what was before it is durable now
                break;
            case RunEnded ended:
                WithHistory((view, at) => view.With(ended, at));
                break;
            case HoldChanged changed:
                WithHistory((view, at) => view.With(changed, at));
                break;
            case ClusterEvent.IMemberEvent member:
                _view = Node(member.Member, StatusOf(member.Member), now);
                break;
            case ClusterEvent.UnreachableMember lost:
                _view = Node(lost.Member, NodeStatus.Unreachable, now);
                break;
            case ClusterEvent.ReachableMember back:
                _view = Node(back.Member, StatusOf(back.Member), now);
                break;
            case LogEvent happened:
                // What Chorus says, not Akka; never the cause, which is for the terminal.
                if (happened.LogClass != typeof(RunWatchActor) && happened.LogClass?.Namespace?.StartsWith("Chorus.", StringComparison.Ordinal) == true)
                    _view = _view.Say(HappeningKind.Warning, happened.Message.ToString() ?? "", now);
                break;
            case NodeVitals vitals:
                _view = _view.With(AddressOf(Sender.Path.Address), vitals); // shown with the next tick
                return;
            case Watched watched:
                Watch(watched.Pages);
                break;
            case HistoryRead read:
                _reading = false;
                _view = _view with { History = read.History, Texts = read.Texts };
                if (_readAgain)
                    Read(evenUnseen: true);
                else
                    CatchUp(now);
                break;
            case BudgetKnown known:
                _view = _view with { Budget = known.Budget };
                break;
            case ReadFailed failed:
                if (failed.What == History)
                {
                    _reading = false;
                    CatchUp(now);
                    if (_view.History.Last is null)
                        break; // the run is only making its journal; what is wrong with one it says itself
                }

                _log.Warning("the page cannot show {0}: {1}", failed.What, failed.Cause.Message);
                break;
            case Tick:
                Ticked(now);
                break;
            default:
                Unhandled(message);
                break;
        }

        if (!ReferenceEquals(before, _view))
            _show(_view = _view with { At = now });
    }

    /// <summary>Shown before what is done has been read, "paused" would stand beside the round before, and an end beside a run that goes on.</summary>
    private void WithHistory(Func<RunView, DateTimeOffset, RunView> change)
    {
        _withHistory.Enqueue(change);
        Read(evenUnseen: true);
    }

    private void CatchUp(DateTimeOffset at)
    {
        while (_withHistory.TryDequeue(out var change))
            _view = change(_view, at);
    }

    private RunView Node(Member member, NodeStatus status, DateTimeOffset at) => _view.WithNode(AddressOf(member.Address), member.Roles.Where(role => !Membership.Admission.NamesRun(role)), status, at);

    private string AddressOf(Address address) => (address.Host is null ? _cluster.SelfAddress : address) is var a ? $"{a.Host}:{a.Port}" : "";

    private static NodeStatus StatusOf(Member member) => member.Status switch
    {
        MemberStatus.Joining or MemberStatus.WeaklyUp => NodeStatus.Joining,
        MemberStatus.Up => NodeStatus.Up,
        MemberStatus.Removed => NodeStatus.Gone,
        _ => NodeStatus.Leaving,
    };

    private void Watch(int pages)
    {
        var before = _pages;
        _pages = pages;
        if (pages == 0)
        {
            Timers.Cancel(TickKey);
        }
        else if (before == 0)
        {
            Read();
            (_ticks, _view) = (0, _view with { Votes = [] });
            Timers.StartPeriodicTimer(TickKey, Tick.Instance, TimeSpan.Zero, TickEvery);
            if (!_budgetAsked)
            {
                _budgetAsked = true;
                var facts = _view.Facts;
                Task.Run(() => new BudgetKnown(facts.Budget())).PipeTo(Self, failure: e => new ReadFailed("what the budget still buys", e));
            }
        }
    }

    private void Ticked(DateTimeOffset now)
    {
        if (_ticks++ % LeaseAgainEvery == 0)
        {
            foreach (var member in _cluster.State.Members)
                Context.ActorSelection($"{member.Address}/user/{ChorusNode.VitalsName}").Tell(new WatchNode(_view.Facts.Run, LeaseSeconds));
        }

        _view = _view.Tick(now);
    }

    /// <summary>Reads what is durable, off this thread, once at a time; nobody looks, and it waits.</summary>
    private void Read(bool evenUnseen = false)
    {
        if (_pages == 0 && !evenUnseen)
            return;
        _readAgain = _reading;
        if (_reading)
            return;
        _reading = true;
        var facts = _view.Facts;
        var texts = _view.Texts;
        Task.Run(() =>
        {
            var history = RunHistory.Read(facts.Folder);
            return new HistoryRead(history, RoundTexts.ReadIfNewer(facts, history.State, texts));
        }).PipeTo(Self, failure: e => new ReadFailed(History, e));
    }

    private sealed class Tick
    {
        public static Tick Instance { get; } = new();
    }
}
