using Akka.Actor;
using Akka.Cluster;

namespace Chorus.Actors.Hosting;

/// <summary>
/// Acts once, when so many members are up. Akka's own min-nr-of-members is the leader's setting, and the leader is
/// whichever node has the lowest address: one that does not know how many are expected.
/// </summary>
internal sealed class MembersAwaited : UntypedActor
{
    private readonly Cluster _cluster = Cluster.Get(Context.System);
    private readonly HashSet<UniqueAddress> _up = [];
    private readonly int _members;
    private readonly Action _act;

    public MembersAwaited(int members, Action act) => (_members, _act) = (members, act);

    public static Props Props(int members, Action act) => Akka.Actor.Props.Create(() => new MembersAwaited(members, act));

    protected override void PreStart() => _cluster.Subscribe(
        Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.MemberUp), typeof(ClusterEvent.MemberRemoved));

    protected override void PostStop() => _cluster.Unsubscribe(Self);

    protected override void OnReceive(object message)
    {
        // Counted here, from events: the cluster's own view of its members may lag behind them.
        switch (message)
        {
            case ClusterEvent.MemberUp up:
                _up.Add(up.Member.UniqueAddress);
                break;
            case ClusterEvent.MemberRemoved removed:
                _up.Remove(removed.Member.UniqueAddress);
                break;
        }

        if (_up.Count < _members)
            return;
        Context.Stop(Self);
        _act();
    }
}
