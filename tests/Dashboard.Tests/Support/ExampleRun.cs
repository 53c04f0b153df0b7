using Chorus.Actors.Collection;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Ledger;
using Chorus.Actors.Runs;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Tests.Support;
using Chorus.Actors.Watch;
using static Chorus.Actors.Runs.RunProtocol;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Dashboard.Tests.Support;

/// <summary>Views of a run that never ran: as many rounds, nodes and devices as a test wants, every part of the page filled.</summary>
internal sealed class ExampleRun : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly TinyRunFolder _folder;

    public ExampleRun(int rounds = 6, string more = "") => _folder = new TinyRunFolder($"chorus.rounds = {rounds}\n{more}");

    public string Run => _folder.Context.Run;

    public RunFacts Facts => RunFacts.Of(_folder.Context);

    public void Dispose() => _folder.Dispose();

    /// <summary>In the vote of the round after those that are done.</summary>
    /// <param name="done">Rounds that are done.</param>
    /// <param name="nodes">Nodes that carry clients.</param>
    /// <param name="text">What candidates say.</param>
    /// <param name="evil">What stands wherever a text of somebody else can stand.</param>
    public RunView View(int done = 2, int nodes = 2, string text = "rivers and ports", string evil = "")
    {
        var history = RunHistory.Empty.Apply(new RunStarted(Run, "s", "d", 23), At(0));
        for (var r = 1; r <= done; r++)
            history = Round(history, r);
        var at = 20 + done * 10;
        if (done < Facts.Rounds)
        {
            history = history.Apply(new CandidatesMade(Run, done + 1, "c", 12, 4), At(at + 4)).Apply(new LeasingStarted(Run, done + 1, 1), At(at + 4));
            at += 5;
        }

        var view = new RunView
        {
            Facts = Facts,
            At = At(at),
            StepSince = At(at - 1),
            History = history,
            Budget = new BudgetBought(8, 20),
            Texts = new RoundTexts(done + 1, done, [new JudgedPair(text, text + evil, 0.04), new JudgedPair(evil, text, 0.01)], [text, evil], [text, text], SamePrompts: false),
        };
        view = view.With(new StepBegan(Run, RunStep.CollectFeedback, done + 1), At(at - 1)).With(new RunProgress(Run, done + 1, "feedback", 11, 23, "3 of 6 blocks" + evil), At(at - 1));
        view = view.WithNode("127.0.0.1:4053" + evil, ["coordinator", "policy", "trainer"], NodeStatus.Up, At(1));
        for (var i = 0; i < nodes; i++)
            view = view.WithNode($"127.0.0.1:{5000 + i}", ["client"], NodeStatus.Up, At(2 + i));
        for (var second = 0; second < 3; second++)
        {
            view = view.With("127.0.0.1:4053" + evil, Vitals(second, Device(second, "cuda:0")));
            for (var i = 0; i < nodes; i++)
                view = view.With($"127.0.0.1:{5000 + i}", Vitals(second, [new Reading("chorus.votes", "kind=cast", 200 * second)]));
            view = view.Tick(At(at - 2 + second));
        }

        return view.Say(HappeningKind.Warning, "something happened" + evil, At(at));
    }

    /// <summary>Over and done, with all that is measured at the end.</summary>
    public RunView Done()
    {
        var view = View(Facts.Rounds);
        var at = 20 + Facts.Rounds * 10;
        return view with
        {
            History = view.History
                .Apply(new SyntheticWritten(Run, "y", 12, 0.2, 0.02, 3), At(at + 3))
                .Apply(new DownstreamMeasured(Run, [Arm("floor", 0.65), Arm("popri", 0.69), Arm("ceiling", 0.73)], 5), At(at + 8))
                .Apply(new RunFinished(Run, 9), At(at + 9)),
            Ended = new RunEnded(Run, RunOutcome.Done, "report: report.html"),
        };
    }

    public static DateTimeOffset At(double seconds) => Start.AddSeconds(seconds);

    private RunHistory Round(RunHistory history, int round)
    {
        var from = 20 + (round - 1) * 10;
        return history
            .Apply(new CandidatesMade(Run, round, "c", 12, 4), At(from + 4))
            .Apply(new LeasingStarted(Run, round, 1), At(from + 4))
            .Apply(new ReleaseMade(Run, round, "0123456789abcdef", 23, 23, "c", VoteTally.None, new PrivacySpend(round, 1.4 * Math.Sqrt(round), 1e-5), 3, null), At(from + 7))
            .Apply(new PolicyAdvanced(Run, round, "a", 3, 3, 0.7, 0.6, 0.8, 2), At(from + 9))
            .Apply(new RoundEvaluated(Run, round, 0.3 / round, 0.03, 1), At(from + 10));
    }

    private static ArmMeasured Arm(string name, double accuracy) => new(name, 10, 1, 1, accuracy, accuracy, 100);

    private NodeVitals Vitals(double seconds, IEnumerable<Reading> readings) => new(Run, seconds, 0.42, 600_000_000, 24_000_000_000, 2, 10, 12, [.. readings]);

    private static IEnumerable<Reading> Device(double seconds, string device) =>
    [
        new("chorus.device.tokens", $"device={device},work=generate", 2000 * seconds),
        new("chorus.device.time", $"device={device},part=forward", 0.3 * seconds),
        new("chorus.device.time", $"device={device},part=backward", 0.4 * seconds),
        new("chorus.device.memory.used", $"device={device}", 3e9),
        new("chorus.device.memory.total", $"device={device}", 80e9),
    ];
}
