using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Chorus.Actors.Clients;
using Chorus.Actors.Embedding;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Data;
using Chorus.Simulation.Federation;

namespace Chorus.Actors.Hosting;

/// <summary>
/// One a client node: asks the coordinator what the run is, opens its data here (synthesising it where it is missing),
/// checks that it is the very same data, and opens the encoder: fitted on the public set, or a checkpoint whose hash is checked too.
/// </summary>
public sealed class NodeDataActor : UntypedActor, IWithTimers
{
    private const string RetryKey = "retry";

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly IActorRef _coordinator;
    private readonly TimeSpan _retry;
    private readonly Func<RunSettings, IReadOnlyList<string>, ClientWorkFactory> _work;
    private readonly List<IActorRef> _waiting = [];
    private string? _opening;
    private bool _described;
    private object? _outcome;

    public NodeDataActor(IActorRef coordinator, TimeSpan retry, Func<RunSettings, IReadOnlyList<string>, ClientWorkFactory> work) =>
        (_coordinator, _retry, _work) = (coordinator, retry, work);

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="coordinator">The run coordinator, or its proxy.</param>
    /// <param name="retry">How long to wait for the description before asking again.</param>
    /// <param name="work">What the clients of a run do in a round, from its settings and the public set.</param>
    public static Props Props(IActorRef coordinator, TimeSpan retry, Func<RunSettings, IReadOnlyList<string>, ClientWorkFactory> work) =>
        Akka.Actor.Props.Create(() => new NodeDataActor(coordinator, retry, work));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case GetRunOnNode get when Known(get.Run):
                Sender.Tell(_outcome);
                break;
            case GetRunOnNode get:
                if (_opening != get.Run)
                {
                    _waiting.Clear();
                    (_opening, _described) = (get.Run, false);
                    AskCoordinator();
                }

                _waiting.Add(Sender);
                break;
            case Retry when _opening is not null && !_described:
                AskCoordinator();
                break;
            case RunProtocol.RunDescription description when description.Run == _opening && !_described:
                _described = true;
                Timers.Cancel(RetryKey);
                var work = _work;
                Task.Run(() => Open(description, work)).PipeTo(
                    Self,
                    success: opened => opened,
                    failure: e => new NodeUnfit(description.Run, e is DataFormatException or IOException or SettingsException or DeviceNotFoundException or TorchLoadException ? e.Message : e.ToString()));
                break;
            case RunOnNode opened:
                Settle(opened.Run, opened);
                break;
            case NodeUnfit unfit:
                _log.Error("this node cannot take part in run {0}: {1}", unfit.Run, unfit.Reason);
                Settle(unfit.Run, unfit);
                break;
            case Retry or RunProtocol.RunDescription:
                break; // late or doubled
            default:
                Unhandled(message);
                break;
        }
    }

    protected override void PostStop() => (_outcome as RunOnNode)?.Dispose();

    private bool Known(string run) => _outcome is RunOnNode opened && opened.Run == run;

    private void AskCoordinator()
    {
        _coordinator.Tell(new RunProtocol.GetRunDescription(_opening!));
        Timers.StartSingleTimer(RetryKey, Retry.Instance, _retry);
    }

    private void Settle(string run, object outcome)
    {
        if (run != _opening)
        {
            (outcome as RunOnNode)?.Dispose();
            return;
        }

        (_outcome as RunOnNode)?.Dispose();
        (_outcome, _opening) = (outcome, null);
        foreach (var waiting in _waiting)
            waiting.Tell(outcome);
        _waiting.Clear();
    }

    private static object Open(RunProtocol.RunDescription run, Func<RunSettings, IReadOnlyList<string>, ClientWorkFactory> work)
    {
        var settings = RunSettings.From(("the coordinator's settings", ConfigurationFactory.ParseString(run.Settings)));
        var corpus = RunData.Open(settings.Data);
        if (corpus.Sha256 != run.DataSha256)
        {
            corpus.Dispose();
            return new NodeUnfit(run.Run, $"{corpus.Directory} holds other data than the coordinator's: copy the same three files to every machine");
        }

        try
        {
            var encoder = RunEncoder.Open(settings.Encoder, corpus.Initial);
            return new RunOnNode(run.Run, corpus, new ClientData(corpus.Clients, encoder, RunData.EmbeddingsOf(corpus, encoder)), new BlockLayout(run.Clients, settings.Clients.BlockSize), work(settings, corpus.Initial));
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }

    private sealed class Retry
    {
        public static Retry Instance { get; } = new();
    }
}
