using System.Collections.Immutable;
using System.Reflection;
using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Akka.Util;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using static Chorus.Actors.Collection.CollectorProtocol;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Tests.Runs;

/// <summary>The coordinator, with the test as all that it works with, and with the test's time.</summary>
public sealed class RunCoordinatorActorTests : TestKit
{
    private const int Candidates = 12;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TestProbe _policy;
    private readonly TestProbe _evaluator;
    private readonly TestProbe _blocks;
    private readonly TestProbe _ended;

    public RunCoordinatorActorTests()
        : base(ConfigurationFactory.ParseString(
            """
            akka.loglevel = OFF
            akka.stdout-loglevel = OFF
            akka.scheduler.implementation = "Akka.TestKit.TestScheduler, Akka.TestKit"
            akka.remote.dot-netty.tcp.hostname = "127.0.0.1"
            akka.remote.dot-netty.tcp.port = 0
            akka.persistence.journal.plugin = "akka.persistence.journal.inmem"
            akka.persistence.snapshot-store.plugin = "akka.persistence.snapshot-store.inmem"
            """).WithFallback(HoconFiles.Embedded("cluster.conf")))
    {
        (_policy, _evaluator, _blocks, _ended) = (CreateTestProbe(), CreateTestProbe(), CreateTestProbe(), CreateTestProbe());
        Sys.EventStream.Subscribe(_ended, typeof(RunEnded));
    }

    private TestScheduler Time => (TestScheduler)Sys.Scheduler;

    [Fact]
    public async Task Given_noise_too_small_for_the_budget_When_started_Then_it_is_refused_before_anything_is_asked_of_anybody()
    {
        using var run = new TinyRunFolder("chorus.privacy { epsilon = 1, noise-multiplier = 0.7 }");
        Start(run.Context);

        var ended = await EndAsync();
        Assert.Equal(RunOutcome.BudgetRefused, ended.Outcome);
        Assert.Contains("raise the budget, raise the noise or run fewer rounds", ended.Message, StringComparison.Ordinal);
        await _policy.ExpectNoMsgAsync(TimeSpan.Zero);
        await _blocks.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task Given_the_journal_of_another_run_When_started_Then_it_is_bad_input_that_names_both_and_nothing_is_asked()
    {
        using var run = new TinyRunFolder();
        var first = Start(run.Context);
        await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience);
        await WatchAsync(first);
        Sys.Stop(first);
        await ExpectTerminatedAsync(first, Patience);

        using var other = run.Another("chorus.seed = 6", "other");
        Start(other);
        var ended = await EndAsync();
        Assert.Equal(RunOutcome.BadInput, ended.Outcome);
        Assert.Contains(run.Context.Run, ended.Message, StringComparison.Ordinal);
        Assert.Contains(other.Run, ended.Message, StringComparison.Ordinal);
        await _policy.ExpectNoMsgAsync(TimeSpan.Zero);
    }

    [Fact]
    public async Task Given_a_policy_that_does_not_answer_When_time_passes_Then_it_is_asked_again()
    {
        using var run = new TinyRunFolder();
        Start(run.Context);
        var request = await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience);
        await AdvanceUntilAsync(TimeSpan.FromSeconds(20), () => _policy.HasMessages);
        Assert.Equal(request, await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience));
    }

    [Fact]
    public async Task Given_a_step_that_fails_for_good_When_told_Then_the_run_ends_with_its_reason()
    {
        using var run = new TinyRunFolder();
        var coordinator = Start(run.Context);
        await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience);
        coordinator.Tell(new StepFailed("another-run", "generate", "not this", BadInput: false));
        coordinator.Tell(new StepFailed(run.Context.Run, "generate", "there is no such GPU", BadInput: true));
        Assert.Equal(new RunEnded(run.Context.Run, RunOutcome.BadInput, "generate: there is no such GPU"), await EndAsync());
    }

    [Fact]
    public async Task Given_too_few_clients_When_the_deadline_passes_Then_the_run_fails_uncharged_and_says_how_to_go_on()
    {
        using var run = new TinyRunFolder("chorus.clients { round-deadline = 30m, quorum = 0.9 }");
        var coordinator = Start(run.Context);
        var leases = await FeedbackAsync(run, coordinator);
        await GrantAsync(coordinator, run, leases[0], "a/0");
        Time.Advance(TimeSpan.FromMinutes(31));

        var ended = await EndAsync();
        Assert.Equal(RunOutcome.Failed, ended.Outcome);
        Assert.Contains("with 4 of 23 clients, below the quorum", ended.Message, StringComparison.Ordinal);
        Assert.Contains("--resume", ended.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(run.Folder.Release(1)));
    }

    [Fact]
    public async Task Given_a_quorum_When_the_deadline_passes_Then_the_round_closes_and_counts_those_who_came()
    {
        using var run = new TinyRunFolder("chorus.clients { round-deadline = 30m, quorum = 0.6 }");
        var coordinator = Start(run.Context);
        var leases = await FeedbackAsync(run, coordinator);
        foreach (var lease in leases.Take(4))
            await GrantAsync(coordinator, run, lease, "a/0");
        Time.Advance(TimeSpan.FromMinutes(31));
        var collector = await DeliverAsync(coordinator, run, leases[..4], "a/0");
        Assert.Equal(new PartialMerged(run.Context.Run, 1, "a/0"), await collector.ExpectMsgAsync<PartialMerged>(Patience));

        await _policy.ExpectMsgAsync<PolicyProtocol.TunePolicy>(Patience);
        var release = RunFolder.ReadJson<Release>(run.Folder.Release(1));
        Assert.Equal((23, 16), (release.ClientsSampled, release.ClientsCounted));
        await ExpectMsgAsync<RoundClosed>(Patience);
        // A block that comes now is late: it is not granted, and changes nothing.
        coordinator.Tell(new ClaimBlock(run.Context.Run, 1, leases[5].Block, leases[5].Lease, "b/0"), TestActor);
        coordinator.Tell(new GetRunDescription(run.Context.Run), TestActor);
        await ExpectMsgAsync<RunDescription>(Patience);
    }

    // Its heart beats, so nobody gives it up; but what it counted does not come.
    [Theory]
    [InlineData(0.6, 16)]
    [InlineData(0.9, 0)]
    public async Task Given_a_node_that_is_slow_and_not_dead_When_the_deadline_is_long_past_Then_the_round_goes_on_without_it_or_fails(double quorum, int counted)
    {
        using var run = new TinyRunFolder(FormattableString.Invariant($"chorus.clients {{ round-deadline = 30m, quorum = {quorum} }}"));
        var coordinator = Start(run.Context);
        var leases = await FeedbackAsync(run, coordinator);
        foreach (var lease in leases[..4])
            await GrantAsync(coordinator, run, lease, "a/0");
        foreach (var lease in leases[4..])
            await GrantAsync(coordinator, run, lease, "slow/0");
        await DeliverAsync(coordinator, run, leases[..4], "a/0");
        Time.Advance(TimeSpan.FromMinutes(31));
        await FishForMessageAsync<DeliverPartial>(d => d.Round == 1, Patience); // asked once more
        if (counted == 0)
        {
            await AdvanceUntilAsync(TimeSpan.FromMinutes(4), () => _ended.HasMessages);
            var ended = await EndAsync();
            Assert.Equal(RunOutcome.Failed, ended.Outcome);
            Assert.Contains("with 16 of 23 clients, below the quorum", ended.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(run.Folder.Release(1)));
            return;
        }

        await AdvanceUntilAsync(TimeSpan.FromMinutes(4), () => _policy.HasMessages);
        await _policy.ExpectMsgAsync<PolicyProtocol.TunePolicy>(Patience);
        var release = RunFolder.ReadJson<Release>(run.Folder.Release(1));
        Assert.Equal((23, counted), (release.ClientsSampled, release.ClientsCounted));
    }

    [Fact]
    public async Task Given_a_policy_at_work_When_its_node_leaves_Then_whoever_takes_its_place_is_asked_at_once()
    {
        using var run = new TinyRunFolder();
        var coordinator = Start(run.Context);
        var request = await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience);
        var node = new UniqueAddress(new Address("akka.tcp", "chorus", "10.0.0.9", 4053), 77);
        coordinator.Tell(new ClusterEvent.MemberRemoved(Removed(node, "client"), MemberStatus.Exiting));
        coordinator.Tell(new ClusterEvent.MemberRemoved(Removed(node, "policy"), MemberStatus.Exiting));
        Assert.Equal(request, await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience)); // no time has passed
        coordinator.Tell(new GetRunDescription(run.Context.Run), TestActor);
        await ExpectMsgAsync<RunDescription>(Patience);
        Assert.False(_policy.HasMessages);
    }

    [Fact]
    public async Task Given_granted_blocks_When_their_node_is_lost_Then_they_are_leased_anew_and_its_late_claims_are_revoked()
    {
        using var run = new TinyRunFolder();
        var coordinator = Start(run.Context);
        var leases = await FeedbackAsync(run, coordinator);
        var node = new UniqueAddress(new Address("akka.tcp", "chorus", "10.0.0.9", 4053), 77);
        var name = $"{CollectorNames.Of(node)}/0";
        await GrantAsync(coordinator, run, leases[0], name);
        coordinator.Tell(new ClusterEvent.MemberRemoved(Removed(node), MemberStatus.Down));

        var again = await _blocks.FishForMessageAsync<BlockProtocol.VoteBlock>(v => v.Block == leases[0].Block && v.Lease != leases[0].Lease, Patience);
        Assert.True(again.Lease > leases[0].Lease);
        foreach (var claim in new[] { (leases[0].Block, leases[0].Lease), (again.Block, again.Lease), (leases[1].Block, leases[1].Lease) })
        {
            coordinator.Tell(new ClaimBlock(run.Context.Run, 1, claim.Item1, claim.Item2, $"{CollectorNames.Of(node)}/1"), TestActor);
            await ExpectMsgAsync<CollectorRevoked>(Patience);
        }

        await GrantAsync(coordinator, run, again, "b/0");
    }

    [Fact]
    public async Task Given_a_round_that_was_leased_When_a_new_coordinator_takes_over_Then_its_leases_are_newer_than_all_before()
    {
        using var run = new TinyRunFolder();
        var first = Start(run.Context);
        var leases = await FeedbackAsync(run, first);
        await WatchAsync(first);
        Sys.Stop(first);
        await ExpectTerminatedAsync(first, Patience);

        Start(run.Context);
        var anew = await _blocks.ExpectMsgAsync<BlockProtocol.VoteBlock>(Patience);
        Assert.All(leases, l => Assert.True(anew.Lease > l.Lease + 1_000_000));
    }

    [Fact]
    public async Task Given_a_run_that_is_to_pause_When_its_round_is_done_Then_it_asks_nothing_more_until_it_may_go_on()
    {
        using var run = new TinyRunFolder();
        var holds = CreateTestProbe();
        Sys.EventStream.Subscribe(holds, typeof(HoldChanged));
        var coordinator = Start(run.Context);
        var leases = await FeedbackAsync(run, coordinator);
        coordinator.Tell(new HoldRun("another-run", Hold: true));
        coordinator.Tell(new HoldRun(run.Context.Run, Hold: true));
        Assert.Equal(new HoldChanged(run.Context.Run, RunHold.Asked), await holds.ExpectMsgAsync<HoldChanged>(Patience));

        await FinishRoundAsync(run, coordinator, leases);
        Assert.Equal(new HoldChanged(run.Context.Run, RunHold.Held), await holds.ExpectMsgAsync<HoldChanged>(Patience));
        coordinator.Tell(new HoldRun(run.Context.Run, Hold: true)); // again: nothing new
        coordinator.Tell(new GetRunDescription(run.Context.Run), TestActor);
        await FishForMessageAsync<RunDescription>(_ => true, Patience);
        Assert.False(_policy.HasMessages);
        Assert.False(holds.HasMessages);

        coordinator.Tell(new HoldRun(run.Context.Run, Hold: false));
        Assert.Equal(2, (await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience)).Round);
        Assert.Equal(new HoldChanged(run.Context.Run, RunHold.None), await holds.ExpectMsgAsync<HoldChanged>(Patience));
    }

    [Fact]
    public async Task Given_a_pause_that_is_taken_back_When_the_round_is_done_Then_the_next_begins()
    {
        using var run = new TinyRunFolder();
        var coordinator = Start(run.Context);
        var leases = await FeedbackAsync(run, coordinator);
        coordinator.Tell(new HoldRun(run.Context.Run, Hold: true));
        coordinator.Tell(new HoldRun(run.Context.Run, Hold: false));
        await FinishRoundAsync(run, coordinator, leases);
        Assert.Equal(2, (await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience)).Round);
    }

    [Fact]
    public async Task Given_a_run_at_work_When_it_is_stopped_Then_it_ends_once_and_says_how_to_go_on()
    {
        using var run = new TinyRunFolder();
        var coordinator = Start(run.Context);
        await FeedbackAsync(run, coordinator);
        coordinator.Tell(new StopRun("another-run"));
        coordinator.Tell(new StopRun(run.Context.Run));
        coordinator.Tell(new StopRun(run.Context.Run));
        var ended = await EndAsync();
        Assert.Equal(RunOutcome.Stopped, ended.Outcome);
        Assert.Contains($"--resume --out {run.Folder.Path}", ended.Message, StringComparison.Ordinal);
        coordinator.Tell(new GetRunDescription(run.Context.Run), TestActor);
        await FishForMessageAsync<RunDescription>(_ => true, Patience);
        Assert.False(_ended.HasMessages);
    }

    /// <summary>Akka makes members for itself only.</summary>
    private static Member Removed(UniqueAddress node, params string[] roles)
    {
        var create = typeof(Member).GetMethod(
            "Create", BindingFlags.Static | BindingFlags.NonPublic,
            [typeof(UniqueAddress), typeof(int), typeof(MemberStatus), typeof(ImmutableHashSet<string>), typeof(AppVersion)]);
        return (Member)create!.Invoke(null, [node, 1, MemberStatus.Removed, ImmutableHashSet.Create(roles), AppVersion.Zero])!;
    }

    private IActorRef Start(RunContext context) =>
        Sys.ActorOf(RunCoordinatorActor.Props(context, new CoordinatorPeers(_policy, _evaluator, _blocks, () => 1)));

    private async Task<RunEnded> EndAsync() => await _ended.ExpectMsgAsync<RunEnded>(Patience);

    /// <summary>Plays the policy until blocks are leased.</summary>
    private async Task<BlockProtocol.VoteBlock[]> FeedbackAsync(TinyRunFolder run, IActorRef coordinator)
    {
        await _policy.ExpectMsgAsync<PolicyProtocol.GenerateCandidates>(Patience);
        var embeddings = EmbeddingMatrix.Encode(run.Context.Encoder, [.. Enumerable.Range(0, Candidates).Select(i => $"rivers and {i} ports")]);
        RunFolder.Write(run.Folder.CandidateEmbeddings(1), embeddings.ToBytes());
        coordinator.Tell(new PolicyProtocol.CandidatesGenerated(run.Context.Run, 1, embeddings.Sha256, Candidates, 1));
        var leases = new List<BlockProtocol.VoteBlock>();
        for (var block = 0; block < run.Context.Layout.Blocks; block++)
            leases.Add(await _blocks.ExpectMsgAsync<BlockProtocol.VoteBlock>(Patience));
        return [.. leases];
    }

    private async Task GrantAsync(IActorRef coordinator, TinyRunFolder run, BlockProtocol.VoteBlock lease, string collector)
    {
        coordinator.Tell(new ClaimBlock(run.Context.Run, 1, lease.Block, lease.Lease, collector), TestActor);
        Assert.Equal(new BlockGranted(run.Context.Run, 1, lease.Block, lease.Lease), await ExpectMsgAsync<BlockGranted>(Patience));
    }

    /// <summary>Waits to be asked for the partial sum, and delivers it.</summary>
    private async Task<TestProbe> DeliverAsync(IActorRef coordinator, TinyRunFolder run, BlockProtocol.VoteBlock[] leases, string name)
    {
        await FishForMessageAsync<DeliverPartial>(d => d.Round == 1, Patience);
        var clients = leases.Select(l => run.Context.Layout.RangeOf(l.Block)).SelectMany(r => Enumerable.Range(r.First, r.Count)).ToArray();
        var collector = CreateTestProbe();
        coordinator.Tell(
            new PartialSum(run.Context.Run, 1, name, [.. leases.Select(l => new GrantedBlock(l.Block, l.Lease))], new long[Candidates], ClientDigest.Of(clients), VoteTally.None),
            collector);
        return collector;
    }

    /// <summary>Counts all clients, plays the policy that learns, and waits for the round's report.</summary>
    private async Task FinishRoundAsync(TinyRunFolder run, IActorRef coordinator, BlockProtocol.VoteBlock[] leases)
    {
        var reported = CreateTestProbe();
        Sys.EventStream.Subscribe(reported, typeof(RoundReported));
        foreach (var lease in leases)
            await GrantAsync(coordinator, run, lease, "a/0");
        await DeliverAsync(coordinator, run, leases, "a/0");
        await _policy.ExpectMsgAsync<PolicyProtocol.TunePolicy>(Patience);
        coordinator.Tell(new PolicyProtocol.PolicyTuned(run.Context.Run, 1, "sha", 3, 3, 0.7, 0.6, 0.8, 1));
        await reported.ExpectMsgAsync<RoundReported>(Patience);
    }

    /// <summary>A timer is set by a message that may still be on its way, so time goes on until what it brings is there.</summary>
    private async Task AdvanceUntilAsync(TimeSpan step, Func<bool> there) => await AwaitConditionAsync(
        () =>
        {
            Time.Advance(step);
            return Task.FromResult(there());
        },
        Patience);
}
