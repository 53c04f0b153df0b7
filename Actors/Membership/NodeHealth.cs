using Akka.Actor;
using Akka.Cluster;

namespace Chorus.Actors.Membership;

/// <summary>How a node is, for whoever restarts it when it hangs and sends others to it when it can be of use.</summary>
/// <param name="Live">Its actors work. One that is not is best restarted.</param>
/// <param name="Ready">It is a member of a cluster that has a coordinator within reach: its clients can vote. Waiting for a run is no illness.</param>
/// <param name="Reason">Why not; "ready" where it is.</param>
public sealed record NodeHealth(bool Live, bool Ready, string Reason)
{
    private const string NoMemberYet = "it is not a member of a cluster yet";

    /// <summary>Of a process that has no node at the moment: it waits to start one.</summary>
    public static NodeHealth BetweenNodes { get; } = new(Live: true, Ready: false, NoMemberYet);

    /// <param name="patience">How long the node's actors may take to answer.</param>
    public static async Task<NodeHealth> OfAsync(ActorSystem system, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(system);
        if (system.WhenTerminated.IsCompleted || CoordinatedShutdown.Get(system).ShutdownReason is not null)
            return BetweenNodes;
        try
        {
            // Answered by the gate's own mailbox: where the threads are all taken, nobody answers.
            await system.ActorSelection($"/user/{GateActor.Name}").Ask<ActorIdentity>(new Identify(null), patience);
        }
        catch (AskTimeoutException)
        {
            return new NodeHealth(Live: false, Ready: false, FormattableString.Invariant($"no actor of it answered within {patience.TotalSeconds:0.#} s"));
        }

        var cluster = Cluster.Get(system);
        var (self, state) = (cluster.SelfMember.Status, cluster.State);
        if (self != Akka.Cluster.MemberStatus.Up)
            return Waiting(self is Akka.Cluster.MemberStatus.Leaving or Akka.Cluster.MemberStatus.Exiting or Akka.Cluster.MemberStatus.Down ? "it is leaving its cluster" : NoMemberYet);
        if (state.Members.FirstOrDefault(m => m.HasRole("coordinator")) is not { } coordinator)
            return Waiting("its cluster has no coordinator");
        return state.Unreachable.Contains(coordinator) ? Waiting("the coordinator is out of reach") : new NodeHealth(Live: true, Ready: true, "ready");

        static NodeHealth Waiting(string why) => new(Live: true, Ready: false, why);
    }
}
