using System.Diagnostics;
using System.Security.Cryptography;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Akka.Persistence;
using Chorus.Actors.Candidates;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Ledger;
using Chorus.Actors.Policy;
using Chorus.Actors.Telemetry;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Runs;

/// <summary>
/// Drives a run: cluster singleton, event-sourced. After every durable event it asks the state what comes next
/// (<see cref="RunState.Next"/>) and starts that step; after a crash it does the same, so resuming is not a special
/// case. Feedback is in the partial file RunCoordinatorActor.Feedback.cs.
/// </summary>
public sealed partial class RunCoordinatorActor : ReceivePersistentActor, IWithTimers
{
    /// <summary>Under this id a run persists in its journal.</summary>
    public const string RunPersistenceId = "run";

    private const string RepeatKey = "repeat-request";

    private static readonly TimeSpan RepeatEvery = TimeSpan.FromSeconds(20);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RunContext _context;
    private readonly CoordinatorPeers _peers;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly IActorRef _source;
    private readonly IActorRef _ledger;
    private readonly RunTrace _trace;
    private RunState _state = RunState.Empty;
    private Repeat? _asked;
    private double _budget;
    private bool _over;

    public RunCoordinatorActor(RunContext context, CoordinatorPeers peers)
    {
        _context = context;
        _peers = peers;
        _trace = new RunTrace(context.Run, TimeProvider.System);
        _source = Context.ActorOf(CandidateSourceActor.Props(), "candidates");
        _ledger = Context.Watch(Context.ActorOf(context.Ledger is null
            ? LedgerActor.Props(context.Journal.IdOf(LedgerFiles.PersistenceId))
            : LedgerActor.Props(LedgerFiles.PersistenceId, LedgerFiles.JournalPlugin), "ledger"));
        Recover<IEvent>(e => _state = _state.Apply(e));
        Command<GetRunDescription>(Describe);
        Command<CandidateProtocol.GetChunk>(get => _source.Forward(get));
        Command<StepProgress>(p => p.Run == _context.Run, p => Publish(p.Stage, p.Done, p.Total, p.Detail));
        Command<StepFailed>(f => f.Run == _context.Run, Failed);
        Command<Repeat>(Again);
        LedgerCommands();
        StepCommands();
        FeedbackCommands();
        OperatorCommands();
        CommandAny(message =>
        {
            if (message is not (IRunMessage or ClusterEvent.IClusterDomainEvent or ClusterEvent.CurrentClusterState))
                Unhandled(message);
        });
    }

    public override string PersistenceId => _context.Journal.IdOf(RunPersistenceId);

    public ITimerScheduler Timers { get; set; } = null!;

    private int Round => _state.Rounds.Length;

    /// <summary>The round that the next step belongs to: while its candidates are being written, the state has not got it yet.</summary>
    private int RoundAtWork => _state.Next(_context.Plan) is (_, > 0 and var round) ? round : Round;

    public static Props Props(RunContext context, CoordinatorPeers peers) =>
        Akka.Actor.Props.Create(() => new RunCoordinatorActor(context, peers));

    protected override void OnReplaySuccess()
    {
        if (_state.Started is { } started && started.Run != _context.Run)
        {
            End(RunOutcome.BadInput, $"{_context.Folder.Path} holds the journal of another run ({started.Run}, not {_context.Run}): resume it with its own settings and data, or choose another --out");
            return;
        }

        Cluster.Get(Context.System).Subscribe(Self, typeof(ClusterEvent.MemberRemoved));
        Publish(_state.Started is null ? "start" : "resume", 0, 0, $"run {_context.Run}");
        if (_context.Charges.All.IsEmpty)
            Self.Tell(new LedgerProtocol.PlanFits(0)); // nothing private is released, or all of it without noise: there is nothing to pay
        else
            _ledger.Tell(new LedgerProtocol.OpenLedger(_context.Settings.Privacy.BudgetFor(_context.Delta), _context.Corpus.Sha256));
    }

    protected override void OnRecoveryFailure(Exception reason, object? message = null) =>
        End(RunOutcome.Failed, $"{_context.Journal.Name} cannot be read: {reason.Message}; once that is put right, go on with --resume");

    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr) =>
        End(RunOutcome.Failed, $"{_context.Journal.Name} cannot be written: {cause.Message}; nothing was lost, go on with --resume");

    protected override void PostStop()
    {
        Cluster.Get(Context.System).Unsubscribe(Self);
        _trace.Dispose();
    }

    private void LedgerCommands()
    {
        Command<LedgerProtocol.LedgerReady>(ready =>
        {
            _budget = ready.Budget.Epsilon;
            TellSpent(ready.Spend);
            CheckPlan(ready);
        });
        Command<LedgerProtocol.PlanFits>(_ => Continue());
        Command<LedgerProtocol.LedgerRefused>(refused => End(RunOutcome.Failed, refused.Reason));
        Command<Terminated>(_ => End(RunOutcome.Failed, $"the ledger's part of {_context.Journal.Name} cannot be read or written (the log says why); nothing is released that is not charged, go on with --resume"));
        Command<LedgerProtocol.ChargeRefused>(refused => End(RunOutcome.BudgetRefused, refused.Message));
    }

    /// <summary>What the ids of a run's charges begin with.</summary>
    public static string ChargesOf(string run, string instance) => $"{run}{(instance.Length > 0 ? $".{instance}" : "")}/";

    private LedgerProtocol.MakeCharge Named(RunCharge charge) => new($"{ChargesOf(_context.Run, _context.Instance)}{charge.Name}", charge.Event);

    private void TellSpent(PrivacySpend spend)
    {
        ChorusMetrics.EpsilonBudget.Record(_budget, ChorusMetrics.Of(_context.Run));
        ChorusMetrics.EpsilonSpent.Record(spend.Epsilon, ChorusMetrics.Of(_context.Run));
        Context.System.EventStream.Publish(new SpendKnown(_context.Run, spend.Epsilon, _budget));
    }

    /// <summary>Refused here, a run that its budget cannot bear has asked no client yet.</summary>
    private void CheckPlan(LedgerProtocol.LedgerReady ready)
    {
        var (own, ledger) = (_context.Settings.Privacy, ready.Budget);
        if ((ledger.Adjacency, ledger.Delta) != (own.Adjacency, _context.Delta))
        {
            End(RunOutcome.BadInput, FormattableString.Invariant(
                $"the ledger {own.Ledger} counts {ledger.Adjacency} at delta {ledger.Delta:g}, this run {own.Adjacency} at delta {_context.Delta:g}: set chorus.privacy.adjacency and chorus.privacy.delta to the ledger's"));
            return;
        }

        _ledger.Tell(new LedgerProtocol.CheckPlan([.. _context.Charges.All.Select(Named)]));
    }

    private void Failed(StepFailed failed)
    {
        var hint = failed.BadInput || failed.Reason.Contains("--resume", StringComparison.Ordinal) ? "" : "; once that is put right, go on with --resume";
        End(failed.BadInput ? RunOutcome.BadInput : RunOutcome.Failed, $"{failed.Stage}: {failed.Reason}{hint}");
    }

    /// <summary>Starts the step that follows the last durable event.</summary>
    private void Continue()
    {
        Timers.Cancel(RepeatKey);
        _asked = null;
        var (step, round) = _state.Next(_context.Plan);
        if (HoldsBefore(step))
            return;
        _trace.Enter(step, round);
        Context.System.EventStream.Publish(new StepBegan(_context.Run, step, round));
        try
        {
            Begin(step, round);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            // Thrown from here the actor would be restarted, come to the same step and throw again, without end.
            End(RunOutcome.Failed, $"{step} of round {round} needs a file of the run's folder that is missing or damaged: {e.Message}");
        }
    }

    private void Begin(RunStep step, int round)
    {
        switch (step)
        {
            case RunStep.Start:
                Save(new RunStarted(_context.Run, _context.SettingsSha256, _context.Corpus.Sha256, _context.Clients, CohortSeed()));
                break;
            case RunStep.Generate:
                Request(Learner, new PolicyProtocol.GenerateCandidates(_context.Run, _context.Folder.Path, round));
                break;
            case RunStep.CollectFeedback:
                StartFeedback(_state.Rounds[^1]);
                break;
            case RunStep.Learn:
                Request(Learner, new PolicyProtocol.TunePolicy(_context.Run, _context.Folder.Path, round));
                break;
            case RunStep.Evaluate:
                Evaluate(round);
                break;
            case RunStep.WriteSynthetic:
                Request(_peers.Policy, new PolicyProtocol.WriteSynthetic(_context.Run, _context.Folder.Path, _context.Plan.Rounds));
                break;
            case RunStep.MeasureDownstream when _context.Plan.Rounds == 0 && _context.Charges.Of(0) is { } charge:
                _ledger.Tell(Named(charge)); // the training is one release, and comes with the measurement
                break;
            case RunStep.MeasureDownstream:
                MeasureDownstream();
                break;
            case RunStep.Finish:
                WriteReport(_clock.Elapsed.TotalSeconds);
                break;
            case RunStep.Over when !_context.Folder.IsFinished: // the journal has all of it
                WriteReport(_state.Finished!.TotalSeconds);
                break;
            case RunStep.Over:
                EndAgain();
                break;
            default:
                throw new InvalidOperationException($"unknown step {step}");
        }
    }

    /// <summary>Who makes a round's array and learns from its release: the policy, or the evaluator where clients train the downstream model.</summary>
    private IActorRef Learner => _context.Plan.WritesTexts ? _peers.Policy : _peers.Evaluator;

    private void MeasureDownstream() =>
        Request(_peers.Evaluator, new EvaluationProtocol.MeasureDownstream(_context.Run, _context.Folder.Path, _context.NoiseMultiplier));

    // Sampling hides clients only from those who cannot repeat the draw.
    private ulong CohortSeed() => _context.CohortSeed is { } given ? given : _context.Settings.Privacy.ReproducibleNoise
        ? _context.Settings.Seed
        : BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    private void StepCommands()
    {
        Command<PolicyProtocol.CandidatesGenerated>(Awaited(RunStep.Generate), m =>
            Save(new CandidatesMade(m.Run, m.Round, m.Sha256, m.Count, m.Seconds)));
        Command<PolicyProtocol.PolicyTuned>(Awaited(RunStep.Learn), m =>
            Save(new PolicyAdvanced(m.Run, m.Round, m.AdapterSha256, m.Pairs, m.Steps, m.FirstLoss, m.LastLoss, m.RewardAccuracy, m.Seconds)));
        Command<RoundEvaluated>(Awaited(RunStep.Evaluate), evaluated =>
        {
            var release = _state.Rounds[^1].Release!;
            Context.System.EventStream.Publish(new RoundReported(
                _context.Run, Round, release.ClientsCounted, evaluated.Fid, release.Spend.Epsilon, release.Sha256));
            Save(evaluated);
        });
        Command<PolicyProtocol.SyntheticMade>(Awaited(RunStep.WriteSynthetic), MeasureSynthetic);
        Command<SyntheticWritten>(Awaited(RunStep.WriteSynthetic), Save);
        Command<EvaluationProtocol.DownstreamDone>(Awaited(RunStep.MeasureDownstream), m => Save(new DownstreamMeasured(m.Run, m.Arms, m.Seconds)));
        Command<RunFinished>(Awaited(RunStep.Finish), m => Persist(m, e =>
        {
            _state = _state.Apply(e);
            End(RunOutcome.Done, $"report: {_context.Folder.Report}");
        }));
        Command<RunFinished>(Awaited(RunStep.Over), _ => EndAgain());
    }

    private void EndAgain() => End(RunOutcome.Done, $"the run was finished before; its report is {_context.Folder.Report}");

    /// <summary>Takes a step's result only while that step is the next one: late and doubled results are dropped.</summary>
    private Predicate<IRunMessage> Awaited(RunStep step) => message =>
        message.Run == _context.Run && !_over
        && _state.Next(_context.Plan) is var (next, round) && next == step
        && RoundOf(message) is var of && (of is null || of == round);

    private static int? RoundOf(IRunMessage message) => message switch
    {
        PolicyProtocol.CandidatesGenerated m => m.Round,
        PolicyProtocol.PolicyTuned m => m.Round,
        RoundEvaluated m => m.Round,
        ReleaseMade m => m.Round,
        _ => null,
    };

    private void Save(IEvent @event) => Persist(@event, e =>
    {
        _state = _state.Apply(e);
        Continue();
    });

    /// <summary>Sends a request to another actor of the cluster until its answer ends the step: requests are idempotent.</summary>
    private void Request(IActorRef peer, PolicyProtocol.IRequest request)
    {
        peer.Tell(request);
        _asked = new Repeat(peer, request);
        Timers.StartSingleTimer(RepeatKey, _asked, RepeatEvery);
    }

    private void Again(Repeat repeat)
    {
        if (!_over)
            Request(repeat.Peer, repeat.Request);
    }

    private void Evaluate(int round)
    {
        if (!_context.Plan.WritesTexts)
        {
            Self.Tell(new RoundEvaluated(_context.Run, round, null, null, 0)); // a model has no distance to texts
            return;
        }

        Publish("evaluate", 0, 0, "distance to the held-out texts");
        var context = _context;
        Task.Run(() =>
        {
            var watch = Stopwatch.StartNew();
            var (fid, distance) = Distances(context, _ => EmbeddingMatrix.FromBytes(File.ReadAllBytes(context.Folder.CandidateEmbeddings(round))));
            RunFolder.WriteJson(context.Folder.Metrics(round), new { Round = round, Fid = fid, MeanDistance = distance });
            return new RoundEvaluated(context.Run, round, fid, distance, watch.Elapsed.TotalSeconds);
        }).PipeTo(Self, failure: e => new StepFailed(context.Run, "evaluate", e.Message, BadInput: false));
    }

    private void MeasureSynthetic(PolicyProtocol.SyntheticMade made)
    {
        var context = _context;
        Task.Run(() =>
        {
            var watch = Stopwatch.StartNew();
            // As many as a round has candidates: the distance falls with the number of texts, and is to be compared with theirs.
            var texts = RunFolder.ReadJson<string[]>(context.Folder.Synthetic);
            var some = texts.Take(context.Settings.Popri.Candidates).ToArray();
            var (fid, distance) = Distances(context, encoder => EmbeddingMatrix.Encode(encoder, some));
            var evaluation = context.Settings.Evaluation;
            var measures = evaluation.TextMeasures
                ? TextMeasures.Of(texts, context.Corpus, context.Encoder, evaluation.CopiedWords, context.Settings.Diagnostics ? context.Clients : 0)
                : null;
            return new SyntheticWritten(context.Run, made.Sha256, made.Count, fid, distance, made.Seconds + watch.Elapsed.TotalSeconds, measures);
        }).PipeTo(Self, failure: e => new StepFailed(context.Run, "evaluate", e.Message, BadInput: false));
    }

    private static (double? Fid, double? MeanDistance) Distances(RunContext context, Func<ISentenceEncoder, EmbeddingMatrix> encode)
    {
        if (!context.Settings.Evaluation.Distances)
            return (null, null);
        var encoder = context.Encoder;
        var (texts, heldOut) = (encode(encoder), EmbeddingMatrix.Encode(encoder, context.Corpus.Eval));
        return (FrechetDistance.Between(texts, heldOut), MeanDistance.Squared(texts, heldOut));
    }

    private void WriteReport(double seconds)
    {
        var (context, state, nodes) = (_context, _state, Cluster.Get(Context.System).State.Members.Count);
        Task.Run(() =>
        {
            RunReport.Write(context, state, nodes, seconds);
            context.Folder.ForgetNoise();
            return new RunFinished(context.Run, seconds);
        }).PipeTo(Self, failure: e => new StepFailed(context.Run, "report", e is IOException or UnauthorizedAccessException ? e.Message : e.ToString(), BadInput: false));
    }

    private void Describe(GetRunDescription get)
    {
        if (get.Run == _context.Run)
            Sender.Tell(new RunDescription(_context.Run, _context.Settings.Hocon, _context.Corpus.Sha256, _context.Clients));
    }

    private void Publish(string stage, long done, long total, string detail)
    {
        Context.System.EventStream.Publish(new RunProgress(_context.Run, RoundAtWork, stage, done, total, detail));
        if (total > 0)
            ChorusMetrics.PhaseProgress.Record((double)done / total, ChorusMetrics.Of(_context.Run, "phase", stage));
    }

    private void End(RunOutcome outcome, string message)
    {
        if (_over)
            return;
        _over = true;
        _trace.End(outcome == RunOutcome.Done ? null : message);
        Timers.CancelAll();
        Context.System.EventStream.Publish(new RunEnded(_context.Run, outcome, message));
    }

    private sealed record Repeat(IActorRef Peer, PolicyProtocol.IRequest Request);
}

/// <summary>Whom the coordinator works with.</summary>
/// <param name="Policy">The policy actor, or its proxy.</param>
/// <param name="Evaluator">The evaluator, or its proxy.</param>
/// <param name="Blocks">The shard region of client blocks, or its proxy.</param>
/// <param name="ClientNodes">How many client nodes are up now: leases in flight grow with it.</param>
public sealed record CoordinatorPeers(IActorRef Policy, IActorRef Evaluator, IActorRef Blocks, Func<int> ClientNodes);
