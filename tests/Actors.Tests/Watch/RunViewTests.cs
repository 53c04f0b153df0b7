using Chorus.Actors.Runs;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Tests.Support;
using Chorus.Actors.Watch;
using static Chorus.Actors.Runs.RunProtocol;
using static Chorus.Actors.Tests.Watch.RunHistoryTests;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Actors.Tests.Watch;

public sealed class RunViewTests : IDisposable
{
    private readonly TinyRunFolder _run = new("chorus.rounds = 5");

    private string Run => _run.Context.Run;

    public void Dispose() => _run.Dispose();

    [Fact]
    public void Given_progress_of_one_step_When_it_goes_on_Then_the_step_began_once()
    {
        var view = View().With(new StepBegan(Run, RunStep.Generate, 1), Example.At(3)).With(Progress(1, "pretrain", 10, 100), Example.At(4));
        Assert.Equal(Example.At(3), view.StepSince);
        view = view.With(Progress(1, "generate", 10, 100), Example.At(5)).With(Progress(1, "generate", 20, 100), Example.At(8));
        Assert.Equal((Example.At(5), 20L), (view.StepSince, view.Progress!.Done));
        Assert.Equal(Example.At(9), view.With(Progress(1, "feedback", 0, 23), Example.At(9)).StepSince);
        Assert.Same(view, view.With(new RunProgress("another-run", 1, "tune", 1, 2, ""), Example.At(9)));
    }

    [Fact]
    public void Given_a_run_When_it_is_held_and_ends_Then_its_status_says_so_and_the_log_too()
    {
        var view = View();
        Assert.Equal(RunStatus.Running, view.Status);
        view = view.With(new HoldChanged(Run, RunHold.Asked), Example.At(1));
        Assert.Equal(RunStatus.Pausing, view.Status);
        view = view.With(new HoldChanged(Run, RunHold.Held), Example.At(2));
        Assert.Equal(RunStatus.Paused, view.Status);
        view = view.With(new RunEnded(Run, RunOutcome.Stopped, "stopped from its page"), Example.At(3));
        Assert.Equal(RunStatus.Ended, view.Status);
        Assert.Equal(["stopped from its page", "paused", "asked to pause after this round"], view.Log.Select(h => h.Text));
        Assert.Equal(RunStatus.Elsewhere, (View() with { Live = false }).Status);
        Assert.Equal(RunStatus.Done, View().With(new RunEnded(Run, RunOutcome.Done, "report"), Example.At(3)).Status);
    }

    [Fact]
    public void Given_a_node_that_is_lost_When_shown_Then_first_as_unreachable_then_as_gone_and_a_new_one_is_another()
    {
        var view = View().WithNode("a:1", ["client"], NodeStatus.Up, Example.At(0)).With("a:1", Vitals(10, 100)).With("a:1", Vitals(11, 300));
        Assert.Equal(200, view.Nodes.Single().VotesPerSecond);
        view = view.WithNode("a:1", ["client"], NodeStatus.Unreachable, Example.At(1));
        Assert.Equal(NodeStatus.Unreachable, view.Nodes.Single().Status);
        Assert.Same(view, view.WithNode("a:1", ["client"], NodeStatus.Leaving, Example.At(1)));
        view = view.WithNode("a:1", ["client"], NodeStatus.Gone, Example.At(2));
        Assert.Equal("node a:1 is lost; what it counted is counted again by others", view.Log.First().Text);
        Assert.Equal(HappeningKind.Warning, view.Log.First().Kind);
        view = view.WithNode("a:1", ["client"], NodeStatus.Joining, Example.At(3));
        Assert.Empty(view.Nodes.Single().Recent);
        Assert.Same(view, view.WithNode("a:1", ["client"], NodeStatus.Joining, Example.At(4)));
    }

    [Fact]
    public void Given_many_nodes_that_went_When_shown_Then_members_come_first_and_only_the_last_ones_gone_are_kept()
    {
        var view = View();
        for (var i = 0; i < 20; i++)
            view = view.WithNode($"n:{i}", ["client"], NodeStatus.Up, Example.At(i));
        for (var i = 0; i < 15; i++)
            view = view.WithNode($"n:{i}", ["client"], NodeStatus.Gone, Example.At(100 + i));
        Assert.Equal(
            [.. Enumerable.Range(15, 5).Select(i => $"n:{i}"), .. Enumerable.Range(9, 6).Reverse().Select(i => $"n:{i}")],
            view.Nodes.Select(n => n.Address));
    }

    [Fact]
    public void Given_a_process_that_started_again_When_it_tells_less_than_before_Then_no_rate_is_negative()
    {
        var view = View().WithNode("a:1", ["client"], NodeStatus.Up, Example.At(0)).With("a:1", Vitals(500, 1_000_000)).With("a:1", Vitals(1, 10));
        Assert.Equal(0, view.Nodes.Single().VotesPerSecond);
        Assert.Equal(40, view.With("a:1", Vitals(2, 50)).Nodes.Single().VotesPerSecond);
    }

    [Fact]
    public void Given_a_device_at_work_When_shown_Then_tokens_and_the_parts_of_a_step_are_rates()
    {
        NodeVitals Told(double seconds, double tokens, double forward, double backward) => Vitals(seconds, 0) with
        {
            Readings =
            [
                new Reading("chorus.device.tokens", "device=cuda:0,work=train", tokens),
                new Reading("chorus.device.time", "device=cuda:0,part=forward", forward),
                new Reading("chorus.device.time", "device=cuda:0,part=backward", backward),
                new Reading("chorus.device.memory.used", "device=cuda:0", 3e9),
                new Reading("chorus.device.memory.total", "device=cuda:0", 8e9),
            ],
        };
        var view = View().WithNode("a:1", ["policy"], NodeStatus.Up, Example.At(0)).With("a:1", Told(10, 1000, 1, 2)).With("a:1", Told(14, 9000, 2, 4));
        var device = Assert.Single(view.Nodes.Single().Devices);
        Assert.Equal(("cuda:0", 2000.0, 3e9, 8e9), (device.Name, device.TokensPerSecond, device.MemoryUsed, device.MemoryTotal));
        Assert.Equal([("backward", 0.5), ("forward", 0.25)], device.Parts.ToArray());
        Assert.Equal([0, 2000], view.Tokens["a:1 cuda:0"].ToArray());
    }

    [Fact]
    public void Given_hours_of_a_run_When_watched_Then_what_is_kept_is_bounded()
    {
        var view = View().WithNode("a:1", ["client"], NodeStatus.Up, Example.At(0));
        for (var i = 0; i < 1000; i++)
            view = view.With("a:1", Vitals(i, i)).Tick(Example.At(i)).Say(HappeningKind.Warning, $"{i}", Example.At(i));
        Assert.Equal((120, 200), (view.Votes.Length, view.LiveLog.Length));
        Assert.True(view.Nodes.Single().Recent.Length < 10);
        Assert.Equal("999", view.Log.First().Text);
    }

    [Fact]
    public void Given_rounds_of_ten_seconds_When_the_third_of_five_votes_Then_what_is_left_is_its_rest_and_two_more()
    {
        var history = Example.Apply(
        [
            (new RunStarted(Run, "s", "d", 23), 0), .. Of(1, 0), .. Of(2, 10), (new CandidatesMade(Run, 3, "c", 12, 4), 24), (new LeasingStarted(Run, 3, 1), 24),
        ]);
        var view = View() with { History = history, At = Example.At(25) };
        view = view.With(new StepBegan(Run, RunStep.CollectFeedback, 3), Example.At(24)).With(Progress(3, "feedback", 0, 23), Example.At(24));
        // the means: 2 more of 3 seconds of voting, 2 of learning, 1 of measuring, and two whole rounds
        Assert.Equal(25, TimeLeft.OfRounds(view)!.Value.TotalSeconds, 6);
        // half the votes are in after one second: one more of these
        Assert.Equal(24, TimeLeft.OfRounds(view.With(Progress(3, "feedback", 10, 20), Example.At(25)))!.Value.TotalSeconds, 6);
        Assert.Null(TimeLeft.OfRounds(view.With(new HoldChanged(Run, RunHold.Held), Example.At(25))));
        Assert.Null(TimeLeft.OfRounds(View()));
    }

    private (IEvent, double)[] Of(int round, double from) => [.. Example.Round(round, from).Select(e => (Renamed(e.Item1), e.Item2))];

    private IEvent Renamed(IEvent e) => e switch
    {
        CandidatesMade m => m with { Run = Run },
        LeasingStarted m => m with { Run = Run },
        ReleaseMade m => m with { Run = Run },
        PolicyAdvanced m => m with { Run = Run },
        RoundEvaluated m => m with { Run = Run },
        _ => throw new InvalidOperationException($"{e.GetType().Name} is no event of a round"),
    };

    private RunView View() => new() { Facts = RunFacts.Of(_run.Context), At = Example.At(0), StepSince = Example.At(0) };

    private RunProgress Progress(int round, string stage, long done, long total) => new(Run, round, stage, done, total, "");

    private NodeVitals Vitals(double seconds, double votes) =>
        new(Run, seconds, 0.5, 1_000_000, 2_000_000, 2, 3, 4, [new Reading("chorus.votes", "kind=cast", votes)]);
}
