using Chorus.Actors.Runs;
using Chorus.Actors.Watch;
using Chorus.Simulation.Report;

namespace Chorus.Dashboard.Parts;

/// <summary>What took how long.</summary>
internal static class TimePart
{
    public static Html Draw(RunView view)
    {
        var (phases, lanes) = (view.History.Phases, Phases.Lanes(view.Facts.Settings.Method));
        var begun = phases is [var first, ..] ? first.From : view.History.Last ?? view.StepSince;
        double At(DateTimeOffset time) => (time - begun).TotalSeconds;
        List<TimeLine.Bar> bars = [.. phases.Select(p => new TimeLine.Bar(Phases.LaneOf(p.Step), At(p.From), At(p.To)))];
        if (view is { Live: true, Ended: null } && view.Status is RunStatus.Running or RunStatus.Pausing && view.Progress is not null)
            bars.Add(AtWork(view, At));
        if (bars.Count == 0)
            return Html.Of($"""<p class="nothing">Nothing is done yet.</p>""");
        (int, double)[] rounds = [.. phases.Where(p => p.Step == RunStep.Generate).DistinctBy(p => p.Round).Select(p => (p.Round, At(p.From)))];
        var sums = phases.GroupBy(p => Phases.LaneOf(p.Step)).OrderBy(g => g.Key)
            .Select(g => $"{lanes[g.Key]} {Words.Duration(g.Sum(p => (p.To - p.From).TotalSeconds))}");
        return TimeLine.Draw("time-line", $"Time line of {Words.Counted(rounds.Length, "round")}: {string.Join(", ", sums.DefaultIfEmpty("nothing is done yet"))}", lanes, bars, rounds);
    }

    private static TimeLine.Bar AtWork(RunView view, Func<DateTimeOffset, double> at)
    {
        var step = view.AtWork.Step;
        if (view.History.State.Rounds.Length == 0 && view.Progress!.Stage != "generate")
            step = RunStep.Start;
        // What this process has not seen begin began when the step before it ended, or when the process did.
        var from = view.History.Last is { } last && last > view.StepSince ? last : view.StepSince;
        return new TimeLine.Bar(Phases.LaneOf(step), at(from), Math.Max(at(from) + 0.1, at(view.At)), AtWork: true);
    }
}
