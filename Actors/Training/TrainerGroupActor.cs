using System.Collections.Immutable;
using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Chorus.Gpu.Collectives;
using Chorus.Simulation.Privacy;
using static Chorus.Actors.Training.TrainingProtocol;

namespace Chorus.Actors.Training;

/// <summary>
/// The leader of a training's group, beside rank 0: finds the trainers of all nodes, forms an epoch of them, drives its steps, charges and saves. When a trainer
/// is gone it ends the epoch, and forms the next one of who is left from the last saved state; who has come meanwhile joins at the next saved state.
/// </summary>
/// <remarks>
/// No step is done twice or by half: weights that an epoch left behind are thrown away, and the saved state that the next begins with is whole and of one step. Repeated steps
/// have the same draws and noise, so they are the releases that were paid for.
/// </remarks>
public sealed class TrainerGroupActor : UntypedActor, IWithTimers
{
    private const string RetryKey = "retry";
    private const int MostBreaks = 5;
    private static readonly TimeSpan OrderLength = TimeSpan.FromSeconds(1);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly TrainingPlan _plan;
    private readonly string _here;
    private readonly ActorSelection _hostHere;
    private readonly bool _clustered;
    private readonly TimeSpan _retry;
    private readonly Action<TrainingEvent> _tell;
    private readonly TaskCompletionSource<TrainingEnd> _end;
    private readonly DpSgdPrivacy _privacy;
    private readonly SortedDictionary<string, Node> _nodes = new(StringComparer.Ordinal);
    private readonly Stopwatch _clock = new(), _clockOfOrder = new();

    private int _epoch, _step, _from = -1, _orderSteps = 1, _breaks, _saved = -1;
    private ImmutableArray<IActorRef> _ranks = [];
    private IOrder[] _orders = []; // the present one, to each rank
    private readonly HashSet<int> _awaited = [];
    private readonly HashSet<IActorRef> _leaving = [];
    private RankReport? _report, _lastReport;
    private TrainedModel? _model;
    private Func<int, TrainedModel, TrainingEvent>? _joined; // what to tell when the epoch has begun
    private (long Tokens, int Step) _reported;
    private bool _stopping;

    /// <param name="here">This node's name.</param>
    /// <param name="clustered">Whether nodes of a cluster with the role trainer take part; without, this node alone does.</param>
    /// <param name="retry">How long to wait for an answer before asking again.</param>
    /// <param name="tell">Told what people want to know, on the actor's thread; returns at once.</param>
    /// <param name="end">Completed when the training has ended.</param>
    public TrainerGroupActor(TrainingPlan plan, string here, bool clustered, TimeSpan retry, Action<TrainingEvent> tell, TaskCompletionSource<TrainingEnd> end)
    {
        (_plan, _here, _clustered, _retry, _tell, _end) = (plan, here, clustered, retry, tell, end);
        _privacy = new DpSgdPrivacy(plan.Job.Settings, plan.Examples);
        _hostHere = Context.ActorSelection($"/user/{TrainerHostActor.Name}");
        Become(Gathering);
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private bool Private => _plan.Job.Settings.NoiseMultiplier > 0;

    /// <inheritdoc cref="TrainerGroupActor(TrainingPlan, string, bool, TimeSpan, Action{TrainingEvent}, TaskCompletionSource{TrainingEnd})"/>
    public static Props Props(TrainingPlan plan, string here, bool clustered, TimeSpan retry, Action<TrainingEvent> tell, TaskCompletionSource<TrainingEnd> end) =>
        Akka.Actor.Props.Create(() => new TrainerGroupActor(plan, here, clustered, retry, tell, end));

    /// <summary>Save at the next step's end and stop there.</summary>
    public sealed class Stop
    {
        public static Stop Instance { get; } = new();
    }

    protected override void PreStart()
    {
        _nodes[_here] = new Node(_here, _hostHere, Here: true);
        Ask(_nodes[_here]);
        Timers.StartPeriodicTimer(RetryKey, Retry.Instance, _retry);
        if (_clustered)
            Cluster.Get(Context.System).Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.MemberUp), typeof(ClusterEvent.MemberRemoved));
    }

    protected override void PostStop()
    {
        if (_clustered)
            Cluster.Get(Context.System).Unsubscribe(Self);
        _end.TrySetResult(new TrainingEnd(Math.Max(0, _saved), "the leader of the training was stopped", BadInput: false, Stopped: false, _lastReport));
    }

    protected override void OnReceive(object message) => throw new InvalidOperationException("a leader is always in a named state");

    // Until enough nodes have their trainers ready.
    private void Gathering(object message)
    {
        switch (message)
        {
            case TrainerFailed failed:
                Fail(failed);
                return;
            case Stop:
                End(new TrainingEnd(0, null, BadInput: false, Stopped: true, null));
                return;
            default:
                Members(message);
                break;
        }
        if (_nodes.Values.Count(n => n.Ready) >= _plan.MinimumNodes && _nodes[_here].Ready)
            BeginEpoch();
    }

    // An order was given to all ranks of the epoch, and not all have answered.
    private void Ordered(object message)
    {
        switch (message)
        {
            case OrderDone done when done.Epoch == _epoch && done.Number == _orders[0].Number && _awaited.Remove(done.Rank):
                _step = done.Step;
                if (done.Rank == 0)
                    (_report, _model) = (done.Report, done.Model ?? _model);
                if (_awaited.Count == 0)
                    Advance();
                break;
            case EpochBroken broken when broken.Epoch == _epoch:
                EndEpoch(broken.Reason);
                break;
            case TrainerFailed failed when _ranks.Contains(Sender):
                Fail(failed);
                break;
            case Terminated { ActorRef: var gone } when _ranks.Contains(gone):
                var lost = NodeOf(gone);
                Members(message);
                if (lost?.Here == true)
                    Fail("the trainer of this process ended", badInput: false);
                else
                    EndEpoch($"{lost?.Name ?? "a trainer"} is gone");
                break;
            case Retry:
                foreach (int rank in _awaited)
                    _ranks[rank].Tell(_orders[rank]);
                Members(message);
                break;
            case Charged charged:
                Order((number, _) => new SaveState(_plan.Run, _epoch, number, _plan.Folder.StateFile));
                break;
            case ChargeFailed failed:
                Fail($"the charge could not be written: {failed.Cause.Message}", badInput: false);
                break;
            case Stop:
                _stopping = true;
                break;
            default:
                Members(message);
                break;
        }
    }

    // The ranks leave an epoch; the next is formed when all have.
    private void Leaving(object message)
    {
        switch (message)
        {
            case EpochEnded ended when ended.Epoch == _epoch:
                _leaving.Remove(Sender);
                break;
            case Terminated { ActorRef: var gone } when _leaving.Remove(gone):
                Members(message);
                break;
            case TrainerFailed failed when _ranks.Contains(Sender):
                Fail(failed);
                return;
            case Retry:
                foreach (var trainer in _leaving)
                    trainer.Tell(new EndEpoch(_plan.Run, _epoch, "the epoch has ended"));
                Members(message);
                break;
            case Stop:
                _stopping = true;
                break;
            default:
                Members(message);
                break;
        }
        if (_leaving.Count > 0)
            return;
        if (_stopping)
            End(new TrainingEnd(Math.Max(0, _saved), null, BadInput: false, Stopped: true, _lastReport));
        else
            BeginEpoch();
    }

    private void Over(object message)
    {
    }

    // Who is there: the same in every state.
    private void Members(object message)
    {
        switch (message)
        {
            case ClusterEvent.MemberUp { Member: var up } when up.HasRole("trainer") && NameOf(up.Address) != _here:
                Members(new NodeCame(NameOf(up.Address), Context.ActorSelection($"{up.Address}/user/{TrainerHostActor.Name}")));
                break;
            case NodeCame came:
                _nodes[came.Name] = new Node(came.Name, came.Host, Here: false);
                Ask(_nodes[came.Name]);
                break;
            case ClusterEvent.MemberRemoved { Member: var removed }:
                _nodes.Remove(NameOf(removed.Address)); // its trainers are reported as terminated
                break;
            case TrainersPromised promised when _nodes.TryGetValue(promised.Node, out var node):
                node.Devices = promised.Devices.Length;
                break;
            case TrainerPrepared prepared when _nodes.TryGetValue(prepared.Node, out var node) && node.Trainers.TryAdd(Sender, prepared):
                Context.Watch(Sender);
                break;
            case TrainerFailed failed when _nodes.TryGetValue(failed.Node, out var node): // of one that is not in the epoch
                _log.Warning("{0} {1} cannot take part: {2}", failed.Node, failed.Device, failed.Reason);
                node.Unfit = true;
                break;
            case Terminated { ActorRef: var gone }:
                NodeOf(gone)?.Trainers.Remove(gone);
                break;
            case Retry:
                foreach (var node in _nodes.Values.Where(n => !n.Ready && !n.Unfit))
                    Ask(node);
                break;
        }
    }

    private void BeginEpoch()
    {
        var trainers = _nodes.Values.Where(n => n.Ready).OrderByDescending(n => n.Here).SelectMany(n => n.InOrder).ToArray();
        if (!_nodes[_here].Ready)
        {
            Fail("the trainer of this process ended", badInput: false);
            return;
        }
        var infos = trainers.Select(t => t.Value).ToArray();
        foreach (var info in infos)
        {
            if (_plan.Job.Plan(infos.Length, info.Gpu is not null).Refusal(info.AvailableBytes, $"{info.Node} {info.Device}", infos.Length) is not { } refusal)
                continue;
            Fail(_epoch == 0 ? refusal : $"{refusal}; the state of step {_saved} is saved: go on with --resume when more devices are there", badInput: true);
            return;
        }
        bool own = infos.All(i => i.Gpu is not null && i.Nccl) && infos.Select(i => i.Gpu).Distinct().Count() == infos.Length;
        if (_plan.Collective == CollectiveKind.Nccl && !own && infos.Length > 1)
        {
            Fail($"--collective nccl needs a GPU of its own and libnccl.so.2 for every rank; {string.Join(", ", infos.Select(i => $"{i.Node} {i.Device}{(i.Gpu is null ? " is no GPU" : i.Nccl ? "" : " has no NCCL")}"))}", badInput: true);
            return;
        }
        _ranks = [.. trainers.Select(t => t.Key)];
        var kind = own && _plan.Collective != CollectiveKind.Host ? CollectiveKind.Nccl : CollectiveKind.Host;
        ImmutableArray<byte> id = kind == CollectiveKind.Nccl && _ranks.Length > 1 ? [.. NcclCollective.NewId()] : [];
        var address = ((ExtendedActorSystem)Context.System).Provider.DefaultAddress;
        ImmutableArray<string> paths = [.. _ranks.Select(r => r.Path.ToSerializationFormatWithAddress(address))];
        _epoch++;
        _orders = [];
        Become(Ordered);
        Order((number, rank) => new JoinGroup(_plan.Run, _epoch, number, rank, paths, kind, id, _plan.Folder.State));
        ImmutableArray<string> names = [.. infos.Select(i => $"{i.Node} {i.Device}")];
        var memory = _plan.Job.Plan(_ranks.Length, infos[0].Gpu is not null);
        _joined = (step, model) => new TrainingEvent.Formed(_epoch, step, names, names.Length > 1 ? kind : null, memory, model);
    }

    private void Order(Func<int, int, IOrder> order)
    {
        int number = _orders.Length == 0 ? 0 : _orders[0].Number + 1;
        _orders = [.. _ranks.Select((_, rank) => order(number, rank))];
        for (int rank = 0; rank < _ranks.Length; rank++)
        {
            _awaited.Add(rank);
            _ranks[rank].Tell(_orders[rank]);
        }
    }

    // All ranks have done the present order.
    private void Advance()
    {
        switch (_orders[0])
        {
            case JoinGroup:
                if (_from < 0)
                    (_from, _saved) = (_step, _plan.Folder.State is null ? -1 : _step);
                _reported = (0, _step);
                _clock.Reset();
                _tell(_joined!(_step, _model!));
                // Where others may go, there must be a state to go back to.
                if (_plan.Folder.State is null && _nodes.Count > 1)
                    Save();
                else if (_step >= _plan.Steps)
                    Order((number, _) => new WriteProduct(_plan.Run, _epoch, number, _plan.Folder.Product(_plan.Job.LoraRank is not null)));
                else
                    Run();
                break;
            case RunSteps run:
                _clock.Stop();
                _orderSteps = _clockOfOrder.Elapsed < OrderLength / 2 ? _orderSteps * 2 : _clockOfOrder.Elapsed > OrderLength && _orderSteps > 1 ? _orderSteps / 2 : _orderSteps;
                if (run.Report && _report is { } figures)
                {
                    _tell(new TrainingEvent.Reported(_step, figures.Tokens - _reported.Tokens, _clock.Elapsed.TotalSeconds, _step - _reported.Step, figures));
                    (_reported, _lastReport, _breaks) = ((figures.Tokens, _step), figures, 0);
                    _clock.Reset();
                }
                if (_stopping || _plan.Saves(_step))
                    Save();
                else
                    Run();
                break;
            case SaveState:
                _saved = _step;
                if (_step >= _plan.Steps)
                    Order((number, _) => new WriteProduct(_plan.Run, _epoch, number, _plan.Folder.Product(_plan.Job.LoraRank is not null)));
                else if (_stopping)
                    End(new TrainingEnd(_step, null, BadInput: false, Stopped: true, _lastReport));
                else if (_nodes.Values.Where(n => n.Ready).Sum(n => n.Devices) > _ranks.Length)
                    EndEpoch("a node has come", broken: false);
                else
                    Run();
                break;
            case WriteProduct:
                End(new TrainingEnd(_step, null, BadInput: false, Stopped: false, _lastReport));
                break;
        }
    }

    private void Run()
    {
        int until = _plan.Next(_step, _from, _orderSteps);
        _clock.Start();
        _clockOfOrder.Restart();
        Order((number, _) => new RunSteps(_plan.Run, _epoch, number, until, _plan.Reports(until, _from)));
    }

    // Charge first, release after: what a saved state holds is paid for before it is there.
    private void Save()
    {
        if (!Private)
        {
            Order((number, _) => new SaveState(_plan.Run, _epoch, number, _plan.Folder.StateFile));
            return;
        }
        PrivacyHistory history = _privacy.After(_step);
        Task.Run(() => _plan.Folder.Charge(history)).PipeTo(Self, success: () => new Charged(), failure: e => new ChargeFailed(e));
    }

    private void EndEpoch(string reason, bool broken = true)
    {
        if (broken)
        {
            _tell(new TrainingEvent.Broken(reason));
            if (++_breaks >= MostBreaks)
            {
                Fail($"the group broke {_breaks} times without a report between, at last because {reason}", badInput: false);
                return;
            }
        }
        _awaited.Clear();
        _leaving.Clear();
        _leaving.UnionWith(_ranks.Where(r => NodeOf(r) is not null));
        foreach (var trainer in _leaving)
            trainer.Tell(new EndEpoch(_plan.Run, _epoch, reason));
        Become(Leaving);
    }

    private void Fail(TrainerFailed failed) => Fail(failed.Node == _here && !_clustered ? failed.Reason : $"{failed.Node} {failed.Device}: {failed.Reason}", failed.BadInput);

    private void Fail(string reason, bool badInput) => End(new TrainingEnd(Math.Max(0, _saved), reason, badInput, Stopped: false, _lastReport));

    private void End(TrainingEnd end)
    {
        Become(Over);
        foreach (var trainer in _ranks)
            trainer.Tell(new EndEpoch(_plan.Run, _epoch, end.Failure ?? "the training has ended"));
        _end.TrySetResult(end);
        Context.Stop(Self); // which the trainers watch
    }

    private void Ask(Node node) => node.Host.Tell(new PrepareTrainers(_plan.Run, _plan.Job.ToJson()), Self);

    private Node? NodeOf(IActorRef trainer) => _nodes.Values.FirstOrDefault(n => n.Trainers.ContainsKey(trainer));

    private static string NameOf(Address address) => $"{address.Host}:{address.Port}";

    /// <summary>A node and its trainers.</summary>
    private sealed record Node(string Name, ActorSelection Host, bool Here)
    {
        /// <summary>How many trainers will answer; 0 until the node has said so.</summary>
        public int Devices { get; set; }

        public bool Unfit { get; set; }

        public Dictionary<IActorRef, TrainerPrepared> Trainers { get; } = [];

        public bool Ready => !Unfit && Devices > 0 && Trainers.Count == Devices;

        /// <summary>As the node has its devices.</summary>
        public IEnumerable<KeyValuePair<IActorRef, TrainerPrepared>> InOrder => Trainers.OrderBy(t => t.Key.Path.Name.Length).ThenBy(t => t.Key.Path.Name, StringComparer.Ordinal);
    }

    /// <summary>A node with the role trainer is up; its host is there.</summary>
    internal sealed record NodeCame(string Name, ActorSelection Host);

    private sealed record Charged;

    private sealed record ChargeFailed(Exception Cause);

    private sealed class Retry
    {
        public static Retry Instance { get; } = new();
    }
}
