using System.Diagnostics;
using System.Security.Cryptography;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Chorus.Actors.Candidates;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Ledger;
using Chorus.Actors.Telemetry;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Federation;
using static Chorus.Actors.Collection.CollectorProtocol;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Runs;

/// <summary>
/// A round's feedback: lease blocks, grant claims, merge partial sums, then charge, then release. Nothing of it is
/// durable before the charge: no noise-free sum ever touches a disk. After a crash the votes are collected again, and
/// give the same sum.
/// </summary>
public sealed partial class RunCoordinatorActor
{
    private const string LeaseKey = "lease";
    private const string DeadlineKey = "deadline";
    private const int LeasesPerNode = 8;

    private static readonly TimeSpan LeaseAgainEvery = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, IActorRef> _collectors = [];
    private readonly HashSet<string> _lostNodes = new(StringComparer.Ordinal);
    private readonly Stopwatch _feedbackClock = new();
    private BlockLeases? _leases;
    private PartialParts? _parts;
    private IClientWork? _work;
    private byte[][] _sampled = [];
    private string _candidatesSha256 = "";
    private Turnout? _turnout;
    private bool _charging;

    private void FeedbackCommands()
    {
        Command<ClaimBlock>(IsThisRound, Answer);
        Command<PartialSum>(IsThisRound, Merge);
        Command<BlockProtocol.BlockFailed>(f => f.Run == _context.Run && f.Round == Round && _leases is not null, f => End(RunOutcome.Failed, f.Reason));
        Command<LeaseAgain>(_ => { LeasePending(); AskPartials(); });
        Command<DeadlineReached>(d => d.Round == Round && _leases is not null, CloseAtDeadline);
        Command<ClusterEvent.MemberRemoved>(Lost);
        Command<ArrayRead>(r => !_over && _state.Next(_context.Plan) is (RunStep.CollectFeedback, var round) && round == r.Round, StartLeasing);
        Command<LedgerProtocol.ChargeAccepted>(Paid);
        Command<ReleaseMade>(Awaited(RunStep.CollectFeedback), made => Persist(made, e =>
        {
            _state = _state.Apply(e);
            Released(e);
            foreach (var collector in _collectors.Values)
                collector.Tell(new RoundClosed(_context.Run, Round));
            (_leases, _charging) = (null, false);
            Timers.Cancel(LeaseKey);
            Timers.Cancel(DeadlineKey);
            Continue();
        }));
    }

    private bool IsThisRound(ClaimBlock claim) => claim.Run == _context.Run && claim.Round == Round && _leases is not null;

    private bool IsThisRound(PartialSum partial) => partial.Run == _context.Run && partial.Round == Round && _leases is not null;

    private void StartFeedback(RoundState round)
    {
        var (context, candidates) = (_context, round.Candidates!);
        Task.Run(() =>
        {
            var file = context.Folder.Array(context.Settings.Method, candidates.Round);
            var bytes = File.ReadAllBytes(file);
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != candidates.Sha256)
                throw new InvalidDataException($"{file} is not what the journal says was made (another SHA-256)");
            return new ArrayRead(candidates.Round, bytes, context.Work(bytes));
        }).PipeTo(Self, failure: e => new Policy.StepFailed(
            context.Run, "feedback", $"round {candidates.Round} needs a file of the run's folder that is missing or damaged: {e.Message}", BadInput: false));
    }

    private void StartLeasing(ArrayRead read)
    {
        var round = _state.Rounds[^1];
        Persist(new LeasingStarted(_context.Run, round.Round, round.Attempts + 1), e =>
        {
            _state = _state.Apply(e);
            StartLeasing(round.Candidates!, read, e.Attempt);
        });
    }

    private void StartLeasing(CandidatesMade candidates, ArrayRead read, int attempt)
    {
        _feedbackClock.Restart();
        _work = read.Work;
        _candidatesSha256 = candidates.Sha256;
        _parts = null;
        (var cohort, _turnout) = _context.CohortOf(candidates.Round, _state.Started!.CohortSeed ?? _context.Settings.Seed);
        var layout = _context.Layout;
        var blocks = Enumerable.Range(0, layout.Blocks).Select(layout.RangeOf).ToArray();
        _sampled = [.. blocks.Select(range => Bits(cohort, range))];
        _leases = new BlockLeases(
            _context.Run, candidates.Round,
            [.. blocks.Select(range => Enumerable.Range(range.First, range.Count).Where(cohort.Contains).ToArray())],
            read.Work.VoteLength,
            attempt);
        _source.Tell(new CandidateSourceActor.Serve(candidates.Sha256, read.Bytes));
        Timers.StartPeriodicTimer(LeaseKey, LeaseAgain.Instance, LeaseAgainEvery);
        Timers.StartSingleTimer(DeadlineKey, new DeadlineReached(candidates.Round, Last: false), _context.Settings.Clients.RoundDeadline);
        LeasePending();
    }

    private static byte[] Bits(ClientSet cohort, (int First, int Count) range)
    {
        var bits = new byte[(range.Count + 7) / 8];
        for (var i = 0; i < range.Count; i++)
        {
            if (cohort.Contains(range.First + i))
                bits[i >> 3] |= (byte)(1 << (i & 7));
        }

        return bits;
    }

    /// <summary>Leases the first pending blocks, as many as the nodes can work on; a block that has its lease drops the repetition.</summary>
    private void LeasePending()
    {
        if (_leases is null)
            return;
        foreach (var (block, lease) in _leases.Pending.Take(LeasesPerNode * Math.Max(1, _peers.ClientNodes())))
            _peers.Blocks.Tell(new BlockProtocol.VoteBlock(_context.Run, Round, block, lease, _candidatesSha256, _sampled[block]));
        PublishLeases(_leases);
    }

    private void PublishLeases(BlockLeases leases)
    {
        var (granted, clients, of) = (leases.BlocksGranted, leases.ClientsGranted, ChorusMetrics.Of(_context.Run));
        ChorusMetrics.ClientsSampled.Record(leases.ClientsSampled, of);
        ChorusMetrics.ClientsCounted.Record(clients, of);
        ChorusMetrics.Blocks.Record(leases.Blocks - granted, ChorusMetrics.Of(_context.Run, "state", "pending"));
        ChorusMetrics.Blocks.Record(granted, ChorusMetrics.Of(_context.Run, "state", "granted"));
        Publish("feedback", clients, leases.ClientsSampled, $"{granted} of {leases.Blocks} blocks");
    }

    private void Released(ReleaseMade made)
    {
        var of = ChorusMetrics.Of(_context.Run);
        ChorusMetrics.Rounds.Add(1, of);
        ChorusMetrics.ClientsCounted.Record(made.ClientsCounted, of);
        ChorusMetrics.ClientsLost.Add(made.ClientsSampled - made.ClientsCounted, of);
        TellSpent(made.Spend);
    }

    private void Answer(ClaimBlock claim)
    {
        if (_lostNodes.Any(node => CollectorNames.IsOf(claim.Collector, node)))
        {
            Sender.Tell(new CollectorRevoked(claim.Run, claim.Round, claim.Collector));
            return;
        }

        _collectors[claim.Collector] = Sender;
        switch (_leases!.Claim(claim.Block, claim.Lease, claim.Collector))
        {
            case ClaimAnswer.Granted:
                Sender.Tell(new BlockGranted(claim.Run, claim.Round, claim.Block, claim.Lease));
                LeaseNext();
                AskPartials();
                break;
            case ClaimAnswer.Denied:
                Sender.Tell(new BlockDenied(claim.Run, claim.Round, claim.Block, claim.Lease));
                break;
            case ClaimAnswer.Revoked:
                Sender.Tell(new CollectorRevoked(claim.Run, claim.Round, claim.Collector));
                break;
            case ClaimAnswer.Merged:
                Sender.Tell(new PartialMerged(claim.Run, claim.Round, claim.Collector));
                break;
        }
    }

    /// <summary>A block is done: lease the next one that is not under way yet.</summary>
    private void LeaseNext()
    {
        var window = LeasesPerNode * Math.Max(1, _peers.ClientNodes());
        if (_leases!.Pending.Skip(window - 1).Select(p => ((int, long)?)p).FirstOrDefault() is var (block, lease))
            _peers.Blocks.Tell(new BlockProtocol.VoteBlock(_context.Run, Round, block, lease, _candidatesSha256, _sampled[block]));
        PublishLeases(_leases);
    }

    /// <summary>Once every block is granted, asks each holder for its one partial sum.</summary>
    private void AskPartials()
    {
        if (_leases is not { AllGranted: true, AllMerged: false })
        {
            if (_leases is { AllMerged: true })
                Charge();
            return;
        }

        // A sum of many parts takes memory until it is whole: then only one at a time.
        if (_parts is { } parts && !_leases.Holders.Contains(parts.Collector))
            _parts = null;
        foreach (var collector in PartialParts.Of(_leases.Sum.Length) == 1 ? _leases.Holders.ToArray() : [_parts?.Collector ?? _leases.Holders.First()])
            _collectors[collector].Tell(new DeliverPartial(_context.Run, Round, _parts?.Next ?? 0));
    }

    private void Merge(PartialSum partial)
    {
        var whole = partial.Parts == 1 ? partial : Assemble(partial);
        if (whole is null || !_leases!.Merge(whole))
            return;
        Sender.Tell(new PartialMerged(partial.Run, partial.Round, partial.Collector));
        if (_leases.AllMerged)
            Charge();
        else if (partial.Parts != 1)
            AskPartials();
    }

    /// <summary>Puts a part to those that have come, and asks for the next one.</summary>
    /// <returns>The whole sum, once it has all come.</returns>
    private PartialSum? Assemble(PartialSum part)
    {
        if (!_leases!.Holders.Contains(part.Collector))
            return null;
        _parts ??= new PartialParts(part.Collector, _leases.Sum.Length);
        var before = _parts.Next;
        var whole = _parts.Take(part);
        if (whole is not null)
            _parts = null;
        else if (_parts.Next != before)
            AskPartials();
        return whole;
    }

    private void Charge()
    {
        if (_charging)
            return;
        _charging = true;
        if (_context.Charges.Of(Round) is { } charge)
            _ledger.Tell(Named(charge));
        else
            Release(new PrivacySpend(0, double.PositiveInfinity, _context.Delta)); // no noise, no promise
    }

    private void Paid(LedgerProtocol.ChargeAccepted accepted)
    {
        if (_state.Next(_context.Plan).Step == RunStep.MeasureDownstream)
            MeasureDownstream();
        else
            Release(accepted.Spend);
    }

    private void Release(PrivacySpend spend)
    {
        if (_leases is not { AllMerged: true } leases || _over)
            return;
        var (context, round, sha256, work, elapsed, turnout) = (_context, Round, _candidatesSha256, _work!, _feedbackClock.Elapsed.TotalSeconds, _turnout);
        Task.Run(() =>
        {
            // A release that was written before a crash is the release: its noise is never drawn again.
            var file = context.Folder.Release(round);
            var release = File.Exists(file)
                ? RunFolder.ReadJson<Release>(file)
                : Runs.Release.Make(context, round, sha256, leases, work);
            if (release.Round != round || release.CandidatesSha256 != sha256)
                throw new InvalidDataException($"{file} is the release of other candidates: the folder's files and its journal do not belong together");
            if (!File.Exists(file))
                RunFolder.WriteJson(file, release);
            return new ReleaseMade(
                context.Run, round, release.Sha256(), release.ClientsSampled, release.ClientsCounted, release.ClientsSha256,
                release.Tally, spend, elapsed, release.PairsKeptRight, turnout);
        }).PipeTo(Self, failure: e => new Policy.StepFailed(context.Run, "release", e.Message, BadInput: false));
    }

    /// <summary>
    /// Nobody is asked any more. Nodes that have counted clients get a tenth of the time again to hand over their sums: one that is
    /// slow, and not dead, would else hold the round for ever.
    /// </summary>
    private void CloseAtDeadline(DeadlineReached reached)
    {
        if (_charging)
            return;
        if (reached.Last)
            _leases!.DropGranted();
        else
            _leases!.DropPending();
        var (counted, sampled) = (_leases.ClientsGranted, _leases.ClientsSampled);
        if (counted == 0 || counted < _context.Settings.Clients.Quorum * sampled)
        {
            End(RunOutcome.Failed, $"round {Round} reached its deadline with {counted} of {sampled} clients, below the quorum; are enough client nodes up? Go on with --resume");
            return;
        }

        _trace.Mark("deadline passed");
        _log.Warning("round {0} closes at its deadline with {1} of {2} clients", Round, counted, sampled);
        if (!reached.Last)
            Timers.StartSingleTimer(DeadlineKey, reached with { Last = true }, _context.Settings.Clients.RoundDeadline / 10);
        AskPartials();
    }

    private void Lost(ClusterEvent.MemberRemoved removed)
    {
        // A claim of that node may still be on its way; granted now, nobody would ever deliver it.
        var node = CollectorNames.Of(removed.Member.UniqueAddress);
        _lostNodes.Add(node);
        if (_asked is { } asked && removed.Member.Roles.Overlaps(["policy", "trainer"]) && !_over)
            Again(asked); // who was at it may be gone, and another has its place
        if (_leases is null || _over)
            return;
        var revoked = _leases.Revoke(collector => CollectorNames.IsOf(collector, node));
        if (revoked > 0)
        {
            _trace.Mark($"node {removed.Member.Address} lost");
            ChorusMetrics.LeasesRevoked.Add(revoked, ChorusMetrics.Of(_context.Run));
            _log.Warning("node {0} is lost; {1} blocks that it had counted are leased again", removed.Member.Address, revoked);
        }

        LeasePending();
    }

    private sealed class LeaseAgain
    {
        public static LeaseAgain Instance { get; } = new();
    }

    /// <param name="Last">Whether it was so before.</param>
    private sealed record DeadlineReached(int Round, bool Last);

    /// <summary>The round's array, read and checked, and what clients make of it.</summary>
    private sealed record ArrayRead(int Round, byte[] Bytes, IClientWork Work) : ClientProtocol.ILocal;
}
