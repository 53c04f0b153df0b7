using System.Globalization;
using Chorus.Actors.Runs;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>What goes on at this moment: a sentence, the round's steps, and how far the step is.</summary>
internal static class NowPart
{
    /// <summary>Stages that come before the first candidates, within the step that writes them.</summary>
    private static readonly string[] Preparing = ["start", "resume", "tokenizer", "pretrain"];

    /// <summary>The window's title: what one sees of a page in the background.</summary>
    public static string Title(RunView view)
    {
        var (step, round) = view.AtWork;
        var where = view.Status switch
        {
            RunStatus.Done => "done",
            RunStatus.Ended => "ended early",
            RunStatus.Paused => round > 0 ? $"paused before round {round}" : "paused",
            RunStatus.Elsewhere => "not running here",
            _ => round > 0 && !IsPreparing(view) ? $"round {round}/{view.Facts.Rounds}, {Word(view)} {Percent(view)}" : $"{view.Progress?.Stage ?? RunTrace.NameOf(step)} {Percent(view)}",
        };
        return $"{where.Trim()} · {view.Facts.Settings.Name} · Chorus";
    }

    public static Html Draw(RunView view) => Html.Of($"""
        <div class="now card">
        <h1>{Sentence(view)}</h1>
        {Steps(view)}
        {Progress(view)}
        </div>
        """);

    private static string Sentence(RunView view)
    {
        var ((step, round), rounds) = (view.AtWork, view.Facts.Rounds);
        var of = $"Round {round} of {rounds}";
        return view.Status switch
        {
            RunStatus.Done => Outcome(view),
            RunStatus.Ended => view.Ended!.Outcome == RunOutcome.BudgetRefused ? "The budget refused the run" : "The run ended early",
            RunStatus.Paused => round > 0 ? $"Paused before round {round} of {rounds}" : "Paused after the last round",
            RunStatus.Elsewhere => round > 0 ? $"{of}, not running here" : "Not running here",
            _ when IsPreparing(view) => Capital(Doing(view)),
            _ => round > 0 ? $"{of}: {Phases.Doing(step, view.Facts.Settings.Method)}" : Capital(Phases.Doing(step, view.Facts.Settings.Method)),
        };
    }

    private static string Outcome(RunView view)
    {
        if (QualityPart.AccuracyOf(view) is { } accuracy && RunResult.ShareOfGap(accuracy) is { } closed)
            return closed >= 0.02 ? $"Done: {Words.Percent(closed, 0)} of the gap between public and private training data is closed" : "Done: the gap between public and private training data is not closed";
        return view.History.RoundsDone > 0
            ? $"Done: {Words.Counted(view.History.RoundsDone, "round")}, ε {Words.Number(view.History.State.Rounds.LastOrDefault()?.Release?.Spend.Epsilon)}"
            : "Done";
    }

    private static bool IsPreparing(RunView view) =>
        view.History.State.Rounds.Length == 0 && (view.Progress is null || Preparing.Contains(view.Progress.Stage)) && view.Status is RunStatus.Running or RunStatus.Pausing;

    private static string Doing(RunView view) => view.Progress?.Stage switch
    {
        "tokenizer" => "the tokenizer is learned from public texts",
        "pretrain" => "the model is pretrained on public texts",
        _ => "getting ready",
    };

    private static Html Steps(RunView view)
    {
        var (step, round) = view.AtWork;
        if (round == 0 || view.Status is RunStatus.Done || IsPreparing(view))
            return Html.Empty;
        var state = view.History.State.Rounds.FirstOrDefault(r => r.Round == round);
        return Html.Of($"""<ol class="steps" aria-label="Steps of round {round}">{Html.Join(Phases.OfARound(view.Facts.Settings.Method).Select((p, i) => Step(view, p.Step, p.Name, i + 1, p.Step == step, state)))}</ol>""");
    }

    private static Html Step(RunView view, RunStep step, string name, int lane, bool atWork, RoundState? state)
    {
        double? took = step switch
        {
            RunStep.Generate => state?.Candidates?.GenerateSeconds,
            RunStep.CollectFeedback => state?.Release?.FeedbackSeconds,
            RunStep.Learn => state?.Policy?.LearnSeconds,
            _ => state?.Evaluated?.EvaluateSeconds,
        };
        var goesOn = atWork && view.Status is RunStatus.Running or RunStatus.Pausing;
        var (look, note) = took is { } s ? ("done", Words.Duration(s)) : goesOn ? ("at-work", "now") : ("", "");
        return Html.Of($"""<li class="step step-{lane} {look}"{(goesOn ? new Html(" aria-current=\"step\"") : Html.Empty)}><b>{name}</b> <span>{note}</span></li>""");
    }

    private static Html Progress(RunView view)
    {
        if (view.Status is RunStatus.Ended)
            return Html.Of($"""<p class="detail">{view.Ended!.Message}</p>""");
        if (view.Status is RunStatus.Elsewhere)
            return Html.Of($"""<p class="detail">Go on with: chorus simulate --resume --out {view.Facts.Folder.Path}</p>""");
        if (view.Status is RunStatus.Done || view.Progress is not { } p)
            return Html.Empty;
        Html bar = p.Total > 0 && view.Status != RunStatus.Paused
            ? Html.Of($"""<progress max="{p.Total}" value="{Math.Min(p.Done, p.Total)}" aria-label="How far this step is">{Percent(view)}</progress>""")
            : Html.Empty;
        var left = TimeLeft.OfStep(view) is { TotalSeconds: >= 1 } time ? $"about {TilesPart.About(time)} left of this step" : "";
        var detail = string.Join(" · ", new[] { Figures(p), left }.Where(t => t.Length > 0));
        return Html.Of($"""{bar}<p class="detail">{detail}</p>""");
    }

    /// <summary>Where the detail begins with the number that is done, it goes on behind the total.</summary>
    private static string Figures(RunProtocol.RunProgress p)
    {
        if (p.Total <= 0)
            return p.Detail;
        var (figures, done) = ($"{Words.Count(p.Done)} of {Words.Count(p.Total)}", p.Done.ToString(CultureInfo.InvariantCulture));
        return p.Detail.StartsWith($"{done} ", StringComparison.Ordinal) ? $"{figures}{p.Detail[done.Length..]}" : p.Detail.Length > 0 ? $"{figures} · {p.Detail}" : figures;
    }

    private static string Percent(RunView view) => view.Progress is { Total: > 0 } p ? Words.Percent(Math.Min(1, (double)p.Done / p.Total), 0) : "";

    private static string Word(RunView view) => Phases.OfARound(view.Facts.Settings.Method).FirstOrDefault(p => p.Step == view.AtWork.Step).Name ?? "";

    private static string Capital(string sentence) => char.ToUpperInvariant(sentence[0]) + sentence[1..];
}
