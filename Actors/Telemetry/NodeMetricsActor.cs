using Akka.Actor;
using Akka.Cluster;

namespace Chorus.Actors.Telemetry;

/// <summary>One a node: every second, how the cluster looks from here and how many messages wait for the node's busy actors.</summary>
public sealed class NodeMetricsActor : UntypedActor, IWithTimers
{
    private static readonly string[] Statuses = ["joining", "up", "leaving", "unreachable"];

    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly IActorRefProvider _provider = ((ExtendedActorSystem)Context.System).Provider;
    private readonly (string Name, ActorPath Path)[] _watched;
    private readonly TimeSpan _every;

    public NodeMetricsActor(IEnumerable<(string Name, string Path)> watched, TimeSpan every)
    {
        _watched = [.. watched.Select(w => (w.Name, w.Path.Split('/').Aggregate((ActorPath)new RootActorPath(_cluster.SelfAddress), (path, part) => path / part)))];
        _every = every;
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="watched">Local actors whose mailboxes are measured: the name that goes into the metric, and the path below the root (user/...). One that is not there, or not yet, is left out.</param>
    /// <param name="every">How often.</param>
    public static Props Props(IEnumerable<(string Name, string Path)> watched, TimeSpan every) =>
        Akka.Actor.Props.Create(() => new NodeMetricsActor(watched, every));

    protected override void PreStart() => Timers.StartPeriodicTimer("look", Look.Instance, TimeSpan.Zero, _every);

    protected override void OnReceive(object message)
    {
        if (message is not Look)
        {
            Unhandled(message);
            return;
        }

        var (members, unreachable) = (_cluster.State.Members, _cluster.State.Unreachable);
        foreach (var status in Statuses)
        {
            var count = status == "unreachable" ? unreachable.Count : members.Count(m => !unreachable.Contains(m) && StatusOf(m) == status);
            ChorusMetrics.Members.Record(count, new KeyValuePair<string, object?>("status", status));
        }

        foreach (var (name, path) in _watched)
        {
            // Looked up each time: a singleton's child comes and goes.
            if (_provider.ResolveActorRef(path) is ActorRefWithCell { IsTerminated: false } local)
                ChorusMetrics.QueueLength.Record(local.Underlying.NumberOfMessages, new KeyValuePair<string, object?>("actor", name));
        }
    }

    private static string StatusOf(Member member) => member.Status switch
    {
        MemberStatus.Joining or MemberStatus.WeaklyUp => "joining",
        MemberStatus.Up => "up",
        _ => "leaving",
    };

    private sealed class Look
    {
        public static Look Instance { get; } = new();
    }
}
