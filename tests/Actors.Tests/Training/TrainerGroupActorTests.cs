using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Tests.Support;
using Chorus.Actors.Training;
using Chorus.Simulation.Privacy;
using static Chorus.Actors.Training.TrainingProtocol;

namespace Chorus.Actors.Tests.Training;

/// <summary>The leader between probes: who is asked for what, in which order, and what becomes of it when somebody is gone.</summary>
public sealed class TrainerGroupActorTests : TestKit
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(100), Never = TimeSpan.FromMinutes(5);

    private readonly TemporaryFolder _folder = new();
    private readonly List<TrainingEvent> _told = [];
    private readonly TaskCompletionSource<TrainingEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TestProbe _host;

    public TrainerGroupActorTests()
    {
        _host = CreateTestProbe();
        Sys.ActorOf(Props.Create(() => new Passing(_host.Ref)), TrainerHostActor.Name);
    }

    private string Out => Path.Combine(_folder.Path, "out");

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
            _folder.Dispose();
    }

    [Fact]
    public async Task Given_two_trainers_When_a_run_is_led_Then_each_order_waits_for_both_and_the_charge_is_there_before_the_state()
    {
        var (leader, a, b) = await BeginAsync(steps: 2, saveEvery: 2);
        var join = await a.ExpectMsgAsync<JoinGroup>();
        var other = await b.ExpectMsgAsync<JoinGroup>();
        Assert.Equal((1, 0, 0, 2), (join.Epoch, join.Number, join.Rank, join.Trainers.Length));
        Assert.Equal((1, join.Trainers[1]), (other.Rank, other.Trainers[1]));
        Assert.Null(join.State);
        leader.Tell(Done(join, 0, 0), a);
        await a.ExpectNoMsgAsync(Soon); // the other one is not so far
        leader.Tell(Done(join, 1, 0), b);
        foreach (var probe in new[] { a, b })
        {
            var run = await probe.ExpectMsgAsync<RunSteps>();
            Assert.Equal((1, 1, true), (run.Number, run.Until, run.Report));
        }
        Both(leader, a, b, 1, step: 1, new RankReport(5, 100, 0, 0.1, 0.01, 7));
        Assert.Equal(2, (await a.ExpectMsgAsync<RunSteps>()).Until);
        Assert.False(File.Exists(Path.Combine(Out, "privacy.json")));
        Both(leader, a, b, 2, step: 2, new RankReport(4, 300, 0, 0.1, 0.01, 7));
        var save = await a.ExpectMsgAsync<SaveState>();
        Assert.Equal(2, PrivacyHistory.FromJson(await File.ReadAllTextAsync(Path.Combine(Out, "privacy.json"))).Releases);
        Assert.Equal(Path.Combine(Out, "state.safetensors"), save.Path);
        Both(leader, a, b, save.Number, step: 2);
        var write = await a.ExpectMsgAsync<WriteProduct>();
        Both(leader, a, b, write.Number, step: 2);
        var end = await _end.Task;
        Assert.Equal((2, null, false), (end.Step, end.Failure, end.Stopped));
        var reports = _told.OfType<TrainingEvent.Reported>().ToArray();
        Assert.Equal([(1, 100L), (2, 200L)], reports.Select(r => (r.Step, r.Tokens))); // since the report before
    }

    [Fact]
    public async Task Given_an_order_without_an_answer_When_time_passes_Then_it_is_given_again_to_who_has_not_answered()
    {
        var (leader, a, b) = await BeginAsync(steps: 2, saveEvery: 2, retry: Soon);
        var join = await a.ExpectMsgAsync<JoinGroup>();
        leader.Tell(Done(join, 0, 0), a);
        await b.ExpectMsgAsync<JoinGroup>();
        Assert.Equal(1, (await b.ExpectMsgAsync<JoinGroup>()).Rank);
        await a.ExpectNoMsgAsync(Soon * 3);
    }

    [Fact]
    public async Task Given_a_trainer_that_is_gone_When_the_others_have_left_Then_the_next_epoch_begins_at_the_saved_state_without_it()
    {
        var (leader, a, b) = await BeginAsync(steps: 50, saveEvery: 1, there: true);
        var join = await a.ExpectMsgAsync<JoinGroup>();
        await b.ExpectMsgAsync<JoinGroup>();
        Both(leader, a, b, 0, step: 0);
        // Another process may be killed at any time: there is a state before the first step.
        Assert.Equal(1, (await a.ExpectMsgAsync<SaveState>()).Number);
        await b.ExpectMsgAsync<SaveState>();
        Directory.CreateDirectory(Out);
        await File.WriteAllTextAsync(Path.Combine(Out, "state.safetensors"), "of step 0");
        Both(leader, a, b, 1, step: 0);
        await a.ExpectMsgAsync<RunSteps>();
        Sys.Stop(b.Ref);
        var ending = await a.ExpectMsgAsync<EndEpoch>();
        Assert.Equal(1, ending.Epoch);
        leader.Tell(Done(join, 0, 9), a); // late, of the epoch that is over
        await a.ExpectNoMsgAsync(Soon);
        leader.Tell(new EpochEnded("run", 1), a);
        var again = await a.ExpectMsgAsync<JoinGroup>();
        Assert.Equal((2, 0, 1), (again.Epoch, again.Rank, again.Trainers.Length));
        Assert.Equal(Path.Combine(Out, "state.safetensors"), again.State);
        Assert.Single(_told.OfType<TrainingEvent.Broken>());
    }

    [Fact]
    public async Task Given_a_group_that_breaks_again_and_again_When_nothing_is_done_between_Then_it_is_given_up_with_the_reason()
    {
        var (leader, a, b) = await BeginAsync(steps: 50, saveEvery: 10);
        for (int epoch = 1; epoch <= 5; epoch++)
        {
            var join = await a.ExpectMsgAsync<JoinGroup>();
            await b.ExpectMsgAsync<JoinGroup>();
            leader.Tell(new EpochBroken("run", join.Epoch, 1, "the cable is out"), b);
            await a.ExpectMsgAsync<EndEpoch>();
            await b.ExpectMsgAsync<EndEpoch>();
            leader.Tell(new EpochEnded("run", join.Epoch), a);
            leader.Tell(new EpochEnded("run", join.Epoch), b);
        }
        var end = await _end.Task;
        Assert.Contains("broke 5 times", end.Failure, StringComparison.Ordinal);
        Assert.Contains("the cable is out", end.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_trainer_that_cannot_begin_When_told_Then_the_training_ends_with_its_reason_as_bad_input()
    {
        var leader = Leader(TrainingPlanTests.Plan(2, 2, new TrainingFolder(Out, resume: false)), Never);
        await _host.ExpectMsgAsync<PrepareTrainers>();
        leader.Tell(new TrainersPromised("run", "here", ["cpu"]), _host);
        leader.Tell(new TrainerFailed("run", "here", "cpu", "--data x: there is no such file", BadInput: true), CreateTestProbe());
        var end = await _end.Task;
        Assert.Equal(("--data x: there is no such file", true), (end.Failure, end.BadInput));
        Assert.False(Directory.Exists(Out));
    }

    [Fact]
    public async Task Given_too_little_memory_When_the_group_would_begin_Then_it_is_refused_with_the_figures()
    {
        var leader = Leader(TrainingPlanTests.Plan(2, 2, new TrainingFolder(Out, resume: false)), Never);
        await _host.ExpectMsgAsync<PrepareTrainers>();
        leader.Tell(new TrainersPromised("run", "here", ["cpu"]), _host);
        var trainer = CreateTestProbe();
        leader.Tell(new TrainerPrepared("run", "here", "cpu", null, false, 1 << 20), trainer);
        var end = await _end.Task;
        Assert.True(end.BadInput);
        Assert.Contains("here cpu has 1.0 MiB free, and each of 1 ranks needs 12", end.Failure, StringComparison.Ordinal);
        Assert.Contains("optimizer 0.6 MiB", end.Failure, StringComparison.Ordinal);
        await trainer.ExpectNoMsgAsync(Soon);
    }

    [Fact]
    public async Task Given_a_request_to_stop_When_a_step_is_done_Then_it_is_saved_and_the_training_ends_there()
    {
        var (leader, a, b) = await BeginAsync(steps: 50, saveEvery: 40);
        Both(leader, a, b, 0, step: 0);
        await a.FishForMessageAsync(m => m is RunSteps);
        leader.Tell(TrainerGroupActor.Stop.Instance);
        Both(leader, a, b, 1, step: 1, new RankReport(5, 100, 0, 0, 0, null));
        var save = (SaveState)await a.FishForMessageAsync(m => m is SaveState);
        Both(leader, a, b, save.Number, step: 1);
        var end = await _end.Task;
        Assert.Equal((1, true, null), (end.Step, end.Stopped, end.Failure));
    }

    // Two trainers of this node, or one here and one there.
    private async Task<(IActorRef Leader, TestProbe A, TestProbe B)> BeginAsync(int steps, int saveEvery, TimeSpan? retry = null, bool there = false)
    {
        var leader = Leader(TrainingPlanTests.Plan(steps, saveEvery, new TrainingFolder(Out, resume: false), nodes: there ? 2 : 1), retry ?? Never);
        var prepare = await _host.ExpectMsgAsync<PrepareTrainers>();
        Assert.Equal("tiny", TrainingJob.FromJson(prepare.Job).Shape);
        leader.Tell(new TrainersPromised("run", "here", there ? ["cpu"] : ["cpu", "cpu"]), _host);
        if (there)
        {
            leader.Tell(new TrainerGroupActor.NodeCame("there", Sys.ActorSelection(_host.Ref.Path)));
            await _host.ExpectMsgAsync<PrepareTrainers>();
            leader.Tell(new TrainersPromised("run", "there", ["cpu"]), _host);
        }
        var (a, b) = (CreateTestProbe("a"), CreateTestProbe("b"));
        leader.Tell(new TrainerPrepared("run", "here", "cpu", null, false, null), a);
        leader.Tell(new TrainerPrepared("run", "here", "cpu", null, false, null), a); // its answer came twice
        leader.Tell(new TrainerPrepared("run", there ? "there" : "here", "cpu", null, false, null), b);
        return (leader, a, b);
    }

    private IActorRef Leader(TrainingPlan plan, TimeSpan retry) => Sys.ActorOf(TrainerGroupActor.Props(plan, "here", clustered: false, retry, Told, _end));

    private void Told(TrainingEvent news)
    {
        lock (_told)
            _told.Add(news);
    }

    private static void Both(IActorRef leader, TestProbe a, TestProbe b, int number, int step, RankReport? report = null)
    {
        leader.Tell(new OrderDone("run", 1, number, 0, step, report, new TrainedModel(10, 2)), a);
        leader.Tell(new OrderDone("run", 1, number, 1, step, report, null), b);
    }

    private static OrderDone Done(IOrder order, int rank, int step) => new("run", order.Epoch, order.Number, rank, step, null, new TrainedModel(10, 2));

    private sealed class Passing(IActorRef to) : UntypedActor
    {
        protected override void OnReceive(object message) => to.Forward(message);
    }
}
