using Chorus.Actors.Runs;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>The figures that one looks for first.</summary>
internal static class TilesPart
{
    public static Html Draw(RunView view) => Html.Of($"""
        <div class="tiles">
        {Tile($"{view.History.RoundsDone} / {view.Facts.Rounds}", "rounds done")}
        {Privacy(view)}
        {Distance(view)}
        {Clients(view)}
        {Votes(view)}
        {Time(view)}
        </div>
        """);

    private static Html Privacy(RunView view)
    {
        var spent = view.History.State.Rounds.LastOrDefault(r => r.Release is not null)?.Release!.Spend.Epsilon ?? 0;
        var budget = view.Budget?.Epsilon ?? (view.Facts.SharedLedger ? null : view.Facts.Settings.Privacy.Epsilon);
        var buys = view.Budget?.Rounds is { } all ? Math.Max(0, all - view.History.Releases) : (int?)null;
        return Tile(
            $"ε {Words.Short(spent)}{(budget is { } b ? $" / {Words.Number(b)}" : "")}",
            buys is { } rounds ? rounds == 0 ? "spent; the budget buys no more rounds" : $"spent; buys {Words.Counted(rounds, "round")} more" : "spent of the budget",
            budget is > 0 and var most ? spent / most : null);
    }

    private static Html Distance(RunView view)
    {
        // Beside those of the rounds it says nothing: it is of another number of texts, on which the distance depends.
        if (view.History.State.Synthetic?.Fid is { } end)
            return Tile(Words.Short(end), "Fréchet distance of the synthetic texts");
        var all = view.History.State.Rounds.Where(r => r.Evaluated?.Fid is not null).Select(r => r.Evaluated!.Fid!.Value).ToArray();
        return all switch
        {
            [] => Tile(Words.Unknown, "Fréchet distance, from round 1 on"),
            [var one] => Tile(Words.Short(one), "Fréchet distance"),
            [var first, .., var last] => Tile(Words.Short(last), $"Fréchet distance, {Change(first, last)} since round 1"),
        };
    }

    private static string Change(double first, double last) =>
        first > 0 ? $"{(last <= first ? "−" : "+")}{Words.Percent(Math.Abs(last / first - 1), 0)}" : $"from {Words.Short(first)}";

    private static Html Clients(RunView view)
    {
        var last = view.History.State.Rounds.LastOrDefault(r => r.Release is not null)?.Release;
        var lost = view.History.State.Rounds.Sum(r => r.Release is { } release ? release.ClientsSampled - release.ClientsCounted : 0);
        var loses = lost == 0 ? "none lost" : $"{Words.Count(lost)} lost in all";
        if (view is { Status: RunStatus.Running or RunStatus.Pausing, AtWork: (RunStep.CollectFeedback, var round), Progress: { Stage: "feedback", Total: > 0 } p })
            return Tile($"{Words.Count(p.Done)} / {Words.Count(p.Total)}", $"clients counted in round {round}; {loses}");
        if (last?.Turnout is { } turnout)
            return Tile($"{Words.Count(last.ClientsCounted)} / {Words.Count(turnout.Asked)}", $"clients answered in round {view.History.Releases}; {loses}");
        return last is null
            ? Tile(Words.Count(view.Facts.Clients), "clients")
            : Tile($"{Words.Count(last.ClientsCounted)} / {Words.Count(last.ClientsSampled)}", $"clients counted in round {view.History.Releases}; {loses}");
    }

    private static Html Votes(RunView view)
    {
        var now = view.Votes is [.., var v] ? v : 0;
        if (now >= 1)
            return Tile(Words.Count((long)Math.Round(now)), "votes a second, now");
        var last = view.History.State.Rounds.LastOrDefault(r => r.Release is not null)?.Release;
        return last is { FeedbackSeconds: > 0 }
            ? Tile(Words.Count((long)Math.Round(last.ClientsCounted / last.FeedbackSeconds)), "votes a second in the last round")
            : Tile(Words.Unknown, "votes a second");
    }

    private static Html Time(RunView view)
    {
        var begun = view.History.Phases is [var first, ..] ? first.From : view.StepSince;
        var end = view.Status is RunStatus.Running or RunStatus.Pausing or RunStatus.Paused ? view.At : view.History.Last ?? view.At;
        var ran = About(end - begun);
        if (view.Status is RunStatus.Done)
            return Tile(ran, "in all");
        return TimeLeft.OfRounds(view) is { } left
            ? Tile($"≈ {About(left)}", $"left of the rounds; {ran} so far")
            : Tile(ran, view.History.RoundsDone == 0 ? "so far; time left after round 1" : "so far");
    }

    /// <summary>A time in whole seconds.</summary>
    public static string About(TimeSpan time) => Math.Max(0, Math.Round(time.TotalSeconds)) is < 10 and var seconds ? $"{seconds:0} s" : Words.Duration(Math.Round(time.TotalSeconds));

    private static Html Tile(string figure, string name, double? share = null) => Html.Of($"""
        <div class="tile"><b>{figure}</b><span>{name}</span>{(share is { } s ? Html.Of($"""<svg class="meter" height="5" width="100%" aria-hidden="true"><rect class="share-rest" width="100%" height="5" rx="2.5"/><rect class="lane lane-1" width="{100 * Math.Clamp(s, 0, 1):0.#}%" height="5" rx="2.5"/></svg>""") : Html.Empty)}</div>
        """);
}
