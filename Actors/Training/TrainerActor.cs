using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using Chorus.Actors.Settings;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.Runtime;
using TorchSharp;
using static Chorus.Actors.Training.TrainingProtocol;

namespace Chorus.Actors.Training;

/// <summary>One device's trainer: a rank of each epoch that its leader forms. The device's own thread does the work; this actor takes orders and carries bytes.</summary>
public sealed class TrainerActor : UntypedActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly string _run, _node, _device;
    private readonly IActorRef _leader;
    private readonly TimeSpan _patience;
    private readonly DeviceThread _thread;
    private readonly List<GroupBytes> _early = [];
    private TrainingRank? _rank; // touched on the device's thread only
    private TrainerPrepared? _prepared;
    private Epoch? _epoch;
    private int _ended = -1;

    /// <param name="node">For messages to people.</param>
    /// <param name="device">auto, cpu, cuda or cuda:N.</param>
    /// <param name="threads">Threads of an operator on the CPU.</param>
    /// <param name="sharers">Trainers of this process on the same memory, which divide what is free.</param>
    public TrainerActor(string run, TrainingJob job, string node, string device, int threads, int sharers, IActorRef leader, TimeSpan patience)
    {
        (_run, _node, _device, _leader, _patience) = (run, node, device, leader, patience);
        _thread = new DeviceThread($"trainer {device}", threads);
        Context.Watch(leader);
        _thread.Run(() =>
        {
            var at = TorchDevices.Parse(device);
            bool gpu = at.type == DeviceType.CUDA;
            long? available = DeviceMemory.Available(at) / (gpu ? 1 : sharers);
            if (job.Plan(int.MaxValue, gpu).Refusal(available, $"{node} {device}", int.MaxValue) is not null) // no number of devices would help
                throw new SettingsException(job.Plan(1, gpu).Refusal(available, $"{node} {device}", 1)!);
            _rank = new TrainingRank(job, at);
            return new TrainerPrepared(run, node, device, gpu && CudaDevice.KernelsAvailable ? CudaDevice.Of(Math.Max(0, at.index)).Identity : gpu ? $"{node} {device}" : null, gpu && NcclCollective.Available, available);
        }).PipeTo(Self, failure: e => new Failed(null, e));
    }

    /// <inheritdoc cref="TrainerActor(string, TrainingJob, string, string, int, int, IActorRef, TimeSpan)"/>
    public static Props Props(string run, TrainingJob job, string node, string device, int threads, int sharers, IActorRef leader, TimeSpan patience) =>
        Akka.Actor.Props.Create(() => new TrainerActor(run, job, node, device, threads, sharers, leader, patience));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case TrainerPrepared prepared:
                _prepared = prepared;
                _leader.Tell(prepared);
                break;
            case PrepareTrainers when _prepared is not null: // asked again: the answer was lost
                _leader.Tell(_prepared);
                break;
            case JoinGroup join when join.Epoch > Math.Max(_epoch?.Number ?? -1, _ended):
                Begin(join);
                break;
            case IOrder order when order.Epoch == _epoch?.Number:
                Follow(order);
                break;
            case GroupBytes piece when piece.Epoch == _epoch?.Number && piece.Run == _run:
                _epoch.Links?.Put(piece);
                break;
            case GroupBytes piece when piece.Epoch > Math.Max(_epoch?.Number ?? -1, _ended) && piece.Run == _run:
                _early.Add(piece); // that rank heard of the epoch first; it sends no more than its window before we take part
                break;
            case BytesTaken taken when taken.Epoch == _epoch?.Number:
                _epoch.Links?.Taken(taken.To);
                break;
            case Finished done when done.Epoch == _epoch?.Number && done.Order == _epoch.Order:
                _epoch.Answer = new OrderDone(_run, done.Epoch, done.Order, _epoch.Rank, done.Step, done.Report, done.Model);
                _leader.Tell(_epoch.Answer);
                break;
            case Failed failed when failed.Epoch == _epoch?.Number:
                Fail(failed.Cause);
                break;
            case EndEpoch end when end.Epoch == _epoch?.Number:
                End(end.Reason);
                break;
            case EndEpoch end when end.Epoch <= _ended:
                Sender.Tell(new EpochEnded(_run, end.Epoch));
                break;
            case Left left:
                _ended = Math.Max(_ended, left.Epoch);
                _leader.Tell(new EpochEnded(_run, left.Epoch));
                break;
            case Terminated { ActorRef: var gone } when gone.Equals(_leader):
                _log.Info("the leader of run {0} is gone", _run);
                Context.Stop(Self);
                break;
            case PrepareTrainers or IOrder or EndEpoch or GroupBytes or BytesTaken or Finished or Failed or Terminated:
                break; // late, doubled or early
            default:
                Unhandled(message);
                break;
        }
    }

    protected override void PostStop()
    {
        _epoch?.End("the trainer was stopped");
        _thread.Run(() => _rank?.Dispose());
        _ = _thread.DisposeAsync(); // when the device has come so far
    }

    private void Begin(JoinGroup join)
    {
        var trainers = join.Trainers.Select(path => ((ExtendedActorSystem)Context.System).Provider.ResolveActorRef(path)).ToImmutableArray();
        var links = trainers.Length > 1 && join.Collective == CollectiveKind.Host ? new ActorLinks(_run, join.Epoch, join.Rank, trainers, _patience) : null;
        var epoch = _epoch = new Epoch(join.Epoch, join.Rank, links) { Order = join.Number };
        foreach (var piece in _early.Where(p => p.Epoch == join.Epoch))
            links?.Put(piece);
        _early.RemoveAll(p => p.Epoch <= join.Epoch);
        Do(epoch, join.Number, () =>
        {
            ICollective? group = links is not null ? new HostCollective(links)
                : trainers.Length > 1 ? new NcclCollective(join.NcclId.AsSpan(), join.Rank, trainers.Length, TorchDevices.Parse(_device), _patience, epoch.Ending)
                : null;
            if (group is not null)
                epoch.Ending.Register(() => group.Abort(epoch.Reason));
            _rank!.Join(group, join.Rank == 0 ? join.State : null);
            return (null, _rank.Trained);
        });
    }

    private void Follow(IOrder order)
    {
        if (order.Number == _epoch!.Order && _epoch.Answer is { } answer)
            _leader.Tell(answer); // asked again: the answer was lost
        if (order.Number <= _epoch.Order)
            return;
        (_epoch.Order, _epoch.Answer) = (order.Number, null);
        int rank = _epoch.Rank;
        Do(_epoch, order.Number, order switch
        {
            RunSteps run => () => (_rank!.Run(run.Until, run.Report), null),
            SaveState save => () =>
            {
                _rank!.Save(save.Path);
                return (null, null);
            }
            ,
            WriteProduct write => () =>
            {
                if (rank == 0)
                    _rank!.WriteProduct(write.Directory);
                return (null, null);
            }
            ,
            _ => throw new ArgumentException($"a trainer does not know {order.GetType().Name}"),
        });
    }

    private void Do(Epoch epoch, int order, Func<(RankReport? Report, TrainedModel? Model)> work) =>
        _thread.Run(() =>
        {
            epoch.Ending.ThrowIfCancellationRequested();
            var (report, model) = work();
            return new Finished(epoch.Number, order, _rank!.StepsDone, report, model);
        }).PipeTo(Self, failure: e => new Failed(epoch.Number, e));

    private void Fail(Exception e)
    {
        var cause = e is AggregateException { InnerExceptions: [var inner] } ? inner : e;
        if (_epoch?.Ending.IsCancellationRequested == true)
            return; // ended because it was to end
        if (_epoch is not null && cause is CollectiveBrokenException)
        {
            _leader.Tell(new EpochBroken(_run, _epoch.Number, _epoch.Rank, cause.Message));
            return;
        }
        bool users = cause is SettingsException or InvalidDataException or ArgumentException or DeviceNotFoundException or TorchLoadException;
        if (!users)
            _log.Error(cause, "trainer {0} failed", _device);
        _leader.Tell(new TrainerFailed(_run, _node, _device, cause.Message, users));
        if (_epoch is not null)
            End($"{_node} {_device}: {cause.Message}");
    }

    private void End(string reason)
    {
        var epoch = _epoch!;
        epoch.End(reason);
        // Behind whatever still runs on the device, and ends now.
        _thread.Run(() =>
        {
            _rank?.Leave();
            return new Left(epoch.Number);
        }).PipeTo(Self, failure: _ => new Left(epoch.Number));
    }

    /// <summary>This rank's part in one epoch.</summary>
    private sealed class Epoch(int number, int rank, ActorLinks? links)
    {
        private readonly CancellationTokenSource _ending = new();

        public int Number => number;

        public int Rank => rank;

        public ActorLinks? Links => links;

        /// <summary>The newest order, and its answer once it is done.</summary>
        public int Order { get; set; }

        public OrderDone? Answer { get; set; }

        public string Reason { get; private set; } = "";

        public CancellationToken Ending => _ending.Token;

        public void End(string reason)
        {
            if (_ending.IsCancellationRequested)
                return;
            Reason = reason;
            _ending.Cancel();
        }
    }

    private sealed record Finished(int Epoch, int Order, int Step, RankReport? Report, TrainedModel? Model);

    /// <summary>Epoch null: while the model was loaded.</summary>
    private sealed record Failed(int? Epoch, Exception Cause);

    private sealed record Left(int Epoch);
}
