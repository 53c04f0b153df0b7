using Akka.Actor;
using Akka.Cluster;
using static Chorus.Actors.Membership.GateMessages;

namespace Chorus.Actors.Membership;

/// <summary>Asks at the gates of the nodes to join whether this one may, again and again until one answers; then joins, or tells why not.</summary>
internal sealed class JoiningActor : UntypedActor, IWithTimers
{
    private const string AgainKey = "again";

    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(1);

    private readonly IReadOnlyList<Address> _seeds;
    private readonly string _question;
    private readonly Action<string> _refused;

    public JoiningActor(IReadOnlyList<Address> seeds, string version, string? run, Action<string> refused) =>
        (_seeds, _question, _refused) = (seeds, Write(new Question(new JoinQuestion(version, ChorusVersion.Protocol, run))), refused);

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="seeds">Nodes of the cluster to join.</param>
    /// <param name="version">This node's.</param>
    /// <param name="run">The run that it coordinates, if it does.</param>
    /// <param name="refused">Told why it may not join.</param>
    public static Props Props(IReadOnlyList<Address> seeds, string version, string? run, Action<string> refused) =>
        Akka.Actor.Props.Create(() => new JoiningActor(seeds, version, run, refused));

    protected override void PreStart() => Timers.StartPeriodicTimer(AgainKey, Again.Instance, TimeSpan.Zero, AskAgainAfter);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Again:
                foreach (var seed in _seeds)
                    Context.ActorSelection(new RootActorPath(seed) / "user" / GateActor.Name).Tell(_question);
                break;
            case string text when Read<Answer>(text) is { } answer:
                Context.Stop(Self);
                if (answer.Refused is { } why)
                    _refused($"{Sender.Path.Address.Host}:{Sender.Path.Address.Port} does not let this node in: {why}");
                else
                    Cluster.Get(Context.System).JoinSeedNodes(_seeds);
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private sealed class Again
    {
        public static Again Instance { get; } = new();
    }
}
