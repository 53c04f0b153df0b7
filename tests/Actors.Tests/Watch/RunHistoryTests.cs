using Chorus.Actors.Collection;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;
using Chorus.Actors.Watch;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Tests.Watch;

[Collection("whole runs")]
public sealed class RunHistoryTests(ReferenceRun reference)
{
    [Fact]
    public void Given_a_run_that_stood_still_When_read_Then_phases_end_when_they_were_written_and_the_gap_is_a_gap()
    {
        var history = Example.Apply(
            (new RunStarted("run", "s", "d", 23), 0),
            (new CandidatesMade("run", 1, "c", 12, GenerateSeconds: 5), 30),
            (new LeasingStarted("run", 1, 1), 30.1),
            (Example.Release(1, seconds: 4), 35),
            // killed, and resumed a hundred seconds later
            (new PolicyAdvanced("run", 1, "a", 3, 3, 0.7, 0.6, 0.8, LearnSeconds: 10), 145));

        Assert.Equal(
            [(0, RunStep.Start, 0.0, 25.0), (1, RunStep.Generate, 25, 30), (1, RunStep.CollectFeedback, 31, 35), (1, RunStep.Learn, 135, 145)],
            history.Phases.Select(p => (p.Round, p.Step, Example.Seconds(p.From), Example.Seconds(p.To))));
        Assert.Equal((1, 0), (history.Releases, history.RoundsDone));
    }

    [Theory]
    [InlineData(1e9)]
    [InlineData(double.NaN)]
    [InlineData(-3)]
    public void Given_a_clock_that_jumped_When_read_Then_no_phase_begins_before_the_one_before_it_ended(double seconds)
    {
        var history = Example.Apply((new RunStarted("run", "s", "d", 23), 0), (new CandidatesMade("run", 1, "c", 12, seconds), 30));
        Assert.All(history.Phases, p => Assert.InRange(Example.Seconds(p.From), 0, 30));
        Assert.All(history.Phases, p => Assert.True(p.From <= p.To));
    }

    // An hour back in the middle of a round, and a day ahead at its end.
    [Fact]
    public void Given_a_clock_that_was_set_back_When_read_Then_phases_follow_each_other_and_last_as_long_as_they_measured()
    {
        var history = Example.Apply(
            (new RunStarted("run", "s", "d", 23), 0),
            (new CandidatesMade("run", 1, "c", 12, GenerateSeconds: 5), 5),
            (new LeasingStarted("run", 1, 1), 5),
            (Example.Release(1, seconds: 4), 9 - 3600),
            (new PolicyAdvanced("run", 1, "a", 3, 3, 0.7, 0.6, 0.8, LearnSeconds: 10), 19 - 3600),
            (new RoundEvaluated("run", 1, 0.3, 0.03, 1), 86_400));

        Assert.Equal(
            [(RunStep.Generate, 0.0, 5.0), (RunStep.CollectFeedback, 5, 9), (RunStep.Learn, 9, 19), (RunStep.Evaluate, 86_399, 86_400)],
            history.Phases.Select(p => (p.Step, Example.Seconds(p.From), Example.Seconds(p.To))));
        Assert.Equal(history.Log.Select(h => h.At).Order(), history.Log.Select(h => h.At));
    }

    [Fact]
    public void Given_what_happened_When_read_Then_the_log_tells_what_is_notable_and_quotes_nothing()
    {
        var history = Example.Apply(
            (new RunStarted("run", "s", "d", 2000), 0),
            (new CandidatesMade("run", 1, "c", 12, 1), 1),
            (new LeasingStarted("run", 1, 1), 1),
            (new LeasingStarted("run", 1, 2), 2),
            (Example.Release(1, sampled: 2000, counted: 1990, epsilon: 1.4589), 3),
            (new PolicyAdvanced("run", 1, "a", 3, 3, 0.7, 0.6, 0.8, 1), 4),
            (new RoundEvaluated("run", 1, 0.25, 0.03, 1), 5),
            (new SyntheticWritten("run", "y", 6000, 0.2, 0.02, 1), 6),
            (new DownstreamMeasured("run", [new ArmMeasured("popri", 1, 1, 1, 0.3, 0.79, 10)], 1), 7),
            (new RunFinished("run", 8), 8));

        Assert.Equal(
            [
                "the run began with 2,000 clients",
                "round 1: votes are collected again, attempt 2",
                "round 1 closed without 10 of 2,000 clients",
                "round 1 is done: 1,990 clients, FID 0.25, epsilon 1.459",
                "6,000 synthetic texts are written",
                "the downstream model predicts 79.0% of held-out tokens",
                "the run is done",
            ],
            history.Log.Select(h => h.Text));
        Assert.Equal(2, history.Log.Count(h => h.Kind == HappeningKind.Warning));
    }

    [Fact]
    public void Given_a_finished_run_When_its_folder_is_read_Then_it_tells_what_the_report_tells()
    {
        var view = FinishedRun.Read(reference.Folder, TimeProvider.System);
        var report = Chorus.Simulation.Report.RunResultFile.Read(reference.Folder.Result);

        Assert.Equal(RunStatus.Done, view.Status);
        Assert.Equal(report.Run, view.Facts.Run);
        Assert.Equal(report.Clients, view.Facts.Clients);
        Assert.Equal((report.Privacy.Delta, report.Privacy.NoiseMultiplier), (view.Facts.Delta, view.Facts.NoiseMultiplier));
        Assert.Equal(report.Rounds.Select(r => (r.Fid, r.EpsilonSoFar)), view.History.State.Rounds.Select(r => (r.Evaluated!.Fid, r.Release!.Spend.Epsilon)));
        Assert.Equal(new BudgetBought(8, 2), view.Budget); // the noise was derived from two rounds
        Assert.Equal(
            [RunStep.Generate, RunStep.CollectFeedback, RunStep.Learn, RunStep.Evaluate, RunStep.WriteSynthetic, RunStep.MeasureDownstream],
            view.History.Phases.Select(p => p.Step).Where(s => s != RunStep.Start).Distinct());
        Assert.True(view.History.Phases.Zip(view.History.Phases.Skip(1), (a, b) => a.To <= b.From).All(ordered => ordered));
        Assert.Equal(report.Samples.Before.Take(4), view.Texts!.Before);
        Assert.Equal(report.Samples.After.Take(4), view.Texts.Now);
        Assert.True(view.Texts.SamePrompts);
        Assert.Equal(view.Texts.Pairs.OrderByDescending(p => p.Margin), view.Texts.Pairs);
        Assert.All(view.Texts.Pairs, p => Assert.True(p.Margin >= 0));
    }

    [Fact]
    public void Given_a_round_whose_votes_are_out_When_its_texts_are_read_Then_the_pairs_are_those_of_the_round_before()
    {
        var view = FinishedRun.Read(reference.Folder, TimeProvider.System);
        var (facts, done) = (view.Facts, view.History.State with { Synthetic = null });
        var voting = done with { Rounds = [done.Rounds[0], done.Rounds[1] with { Release = null }] };

        var first = RoundTexts.ReadIfNewer(facts, done with { Rounds = [done.Rounds[0]] }, shown: null)!;
        var texts = RoundTexts.ReadIfNewer(facts, voting, first)!;
        Assert.Equal((2, 1), (texts.Round, texts.PairsRound));
        Assert.NotEmpty(texts.Pairs);
        Assert.Equal(first.Pairs.AsEnumerable(), texts.Pairs);
        Assert.Same(texts, RoundTexts.ReadIfNewer(facts, voting, texts));
        Assert.Equal(2, RoundTexts.ReadIfNewer(facts, done, texts)!.PairsRound); // once its own are made
    }

    [Fact]
    public void Given_a_folder_without_a_run_When_read_Then_it_is_said()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("holds no run", Assert.Throws<Chorus.Actors.Settings.SettingsException>(() => FinishedRun.Read(new RunFolder(folder.Path), TimeProvider.System)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_run_that_was_prepared_and_never_began_When_read_Then_it_is_said_how_to_start_it()
    {
        using var run = new TinyRunFolder();
        Assert.Contains("--resume", Assert.Throws<Chorus.Actors.Settings.SettingsException>(() => FinishedRun.Read(run.Folder, TimeProvider.System)).Message, StringComparison.Ordinal);
    }

    /// <summary>Events of a run at times of the test's own.</summary>
    internal static class Example
    {
        private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

        public static DateTimeOffset At(double seconds) => Start.AddSeconds(seconds);

        public static double Seconds(DateTimeOffset at) => (at - Start).TotalSeconds;

        public static RunHistory Apply(params (IEvent Event, double At)[] events) => events.Aggregate(RunHistory.Empty, (history, e) => history.Apply(e.Event, At(e.At)));

        public static ReleaseMade Release(int round, int sampled = 23, int counted = 23, double epsilon = 1, double seconds = 1) => new(
            "run", round, "0123456789abcdef", sampled, counted, "c", VoteTally.None, new PrivacySpend(round, epsilon, 1e-5), seconds, null);

        /// <summary>A round of 10 seconds: 4, 3, 2 and 1.</summary>
        public static (IEvent, double)[] Round(int round, double from) =>
        [
            (new CandidatesMade("run", round, "c", 12, 4), from + 4),
            (new LeasingStarted("run", round, 1), from + 4),
            (Release(round, epsilon: round, seconds: 3), from + 7),
            (new PolicyAdvanced("run", round, "a", 3, 3, 0.7, 0.6, 0.8, 2), from + 9),
            (new RoundEvaluated("run", round, 0.3 / round, 0.03, 1), from + 10),
        ];
    }
}
