using Chorus.Actors.Runs;

namespace Chorus.Actors.Watch;

/// <summary>How long a run still takes, from what it took so far.</summary>
public static class TimeLeft
{
    /// <summary>Rounds that an estimate is taken from: later rounds tell more of those to come.</summary>
    private const int RoundsAsked = 5;

    /// <summary>A step that is less far than this tells nothing of its speed.</summary>
    private const double LeastShare = 0.02;

    private static readonly RunStep[] OfARound = [RunStep.Generate, RunStep.CollectFeedback, RunStep.Learn, RunStep.Evaluate];

    /// <summary>Until the last round is done.</summary>
    /// <returns>Null where no round is done yet, where none is to come, and where the run does not go on.</returns>
    public static TimeSpan? OfRounds(RunView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        var (history, rounds) = (view.History, view.Facts.Rounds);
        if (view.Status is not (RunStatus.Running or RunStatus.Pausing) || history.RoundsDone == 0 || history.RoundsDone >= rounds)
            return null;
        var mean = OfARound.ToDictionary(step => step, step => Mean(history, step));
        var (atWork, round) = view.AtWork;
        var left = (rounds - Math.Max(round, history.RoundsDone + 1)) * mean.Values.Aggregate(TimeSpan.Zero, (a, b) => a + b);
        foreach (var step in OfARound.SkipWhile(s => s != atWork))
            left += step == atWork ? OfStep(view) ?? Positive(mean[step] - Elapsed(view)) : mean[step];
        return left;
    }

    /// <summary>Of the step at work, from how far it is.</summary>
    /// <returns>Null where that is not known.</returns>
    public static TimeSpan? OfStep(RunView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        return view is { Ended: null, Live: true, Progress: { Total: > 0 } p } && (double)p.Done / p.Total is >= LeastShare and <= 1 and var share
            ? Elapsed(view) * ((1 - share) / share)
            : null;
    }

    private static TimeSpan Elapsed(RunView view) => Positive(view.At - view.StepSince);

    private static TimeSpan Positive(TimeSpan time) => time > TimeSpan.Zero ? time : TimeSpan.Zero;

    private static TimeSpan Mean(RunHistory history, RunStep step)
    {
        var last = history.Phases.Where(p => p.Step == step && p.Round <= history.RoundsDone).TakeLast(RoundsAsked).ToArray();
        return last.Length == 0 ? TimeSpan.Zero : last.Aggregate(TimeSpan.Zero, (sum, p) => sum + (p.To - p.From)) / last.Length;
    }
}
