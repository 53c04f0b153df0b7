using Chorus.Actors.Collection;
using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Tests.Runs;

public sealed class RunStateTests
{
    private static readonly IEvent[] WholeRun =
    [
        new RunStarted("run", "s", "d", 10),
        new CandidatesMade("run", 1, "c1", 4, 1),
        new ReleaseMade("run", 1, "r1", 10, 10, "ids", VoteTally.None, new PrivacySpend(1, 0.5, 1e-5), 1, null),
        new PolicyAdvanced("run", 1, "a1", 2, 3, 0.7, 0.6, 0.8, 1),
        new RoundEvaluated("run", 1, 0.5, 0.1, 1),
        new CandidatesMade("run", 2, "c2", 4, 1),
        new ReleaseMade("run", 2, "r2", 10, 10, "ids", VoteTally.None, new PrivacySpend(2, 0.8, 1e-5), 1, null),
        new PolicyAdvanced("run", 2, "a2", 2, 3, 0.7, 0.6, 0.8, 1),
        new RoundEvaluated("run", 2, 0.4, 0.1, 1),
        new SyntheticWritten("run", "s", 9, 0.4, 0.1, 1),
        new DownstreamMeasured("run", [], 1),
        new RunFinished("run", 10),
    ];

    private static readonly (RunStep, int)[] Steps =
    [
        (RunStep.Start, 0), (RunStep.Generate, 1), (RunStep.CollectFeedback, 1), (RunStep.Learn, 1), (RunStep.Evaluate, 1),
        (RunStep.Generate, 2), (RunStep.CollectFeedback, 2), (RunStep.Learn, 2), (RunStep.Evaluate, 2),
        (RunStep.WriteSynthetic, 0), (RunStep.MeasureDownstream, 0), (RunStep.Finish, 0), (RunStep.Over, 0),
    ];

    [Fact]
    public void Given_a_crash_after_any_event_When_the_journal_is_replayed_Then_the_next_step_is_the_one_that_was_due()
    {
        for (var survived = 0; survived <= WholeRun.Length; survived++)
        {
            var state = WholeRun.Take(survived).Aggregate(RunState.Empty, (s, e) => s.Apply(e));
            Assert.Equal(Steps[survived], state.Next(new RunPlan(2, WritesTexts: true, Downstream: true)));
        }
    }

    [Fact]
    public void Given_no_downstream_When_the_synthetic_data_is_written_Then_the_run_finishes()
    {
        var state = WholeRun.Take(10).Aggregate(RunState.Empty, (s, e) => s.Apply(e));
        Assert.Equal((RunStep.Finish, 0), state.Next(new RunPlan(2, WritesTexts: true, Downstream: false)));
    }

    [Fact]
    public void Given_a_journal_When_an_event_cannot_follow_Then_it_is_refused()
    {
        var started = RunState.Empty.Apply(WholeRun[0]);
        Assert.Throws<InvalidOperationException>(() => RunState.Empty.Apply(WholeRun[1]));
        Assert.Throws<InvalidOperationException>(() => started.Apply(WholeRun[0]));
        Assert.Throws<InvalidOperationException>(() => started.Apply(WholeRun[2]));
        Assert.Throws<InvalidOperationException>(() => started.Apply(WholeRun[5]));
        Assert.Throws<InvalidOperationException>(() => started.Apply(new CandidatesMade("another run", 1, "c", 4, 1)));
    }
}
