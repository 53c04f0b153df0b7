namespace Chorus.Simulation.Report;

/// <summary>What a run did and what came of it, in plain words.</summary>
internal static class Headline
{
    /// <summary>Below this share of the gap a gain is not called one: about what a change of seed does.</summary>
    private const double Noticeable = 0.02;

    public static string Title(RunResult run) => run switch
    {
        { GapClosed: { } closed, Privacy: var privacy } when closed >= Noticeable => closed >= 1
            ? $"Synthetic texts closed the whole gap between public and private training data{Cost(privacy)}"
            : $"Synthetic texts closed {Words.Percent(closed, 0)} of the gap between public and private training data{Cost(privacy)}",
        { GapClosed: { } closed } => closed <= -Noticeable
            ? "Synthetic texts did not help: the downstream model came out worse than on public texts alone"
            : "Synthetic texts closed no gap: the downstream model came out as on public texts alone",
        { Accuracy: { Floor: { } floor, Ceiling: { } ceiling } } when ceiling <= floor =>
            "There was no gap to close: private texts were worth no more than public ones",
        { Rounds.Length: 0 } => "No round was closed",
        _ when Drift(run) is { } drift && drift.Last < drift.First => $"Feedback brought the model's texts nearer to the clients' texts{Cost(run.Privacy)}",
        _ when Drift(run) is not null => "Feedback did not bring the model's texts nearer to the clients' texts",
        _ => $"{Words.Counted(run.Rounds.Length, "round")} of private feedback{Cost(run.Privacy)}",
    };

    public static string Lead(RunResult run)
    {
        string did = $"{Words.Counted(run.Rounds.Length, "round")} of feedback from {Words.Counted(run.Clients, "simulated client")} tuned a public language model; no text left its client.";
        string found = run.Accuracy switch
        {
            { Floor: { } floor, Popri: { } popri, Ceiling: { } ceiling } =>
                $" A model trained with what it then wrote predicts {Words.Percent(popri)} of held-out clients' next tokens, against {Words.Percent(floor)} with public texts alone and {Words.Percent(ceiling)} with the private texts themselves.",
            { Floor: { } floor, Popri: { } popri } =>
                $" A model trained with what it then wrote predicts {Words.Percent(popri)} of held-out clients' next tokens, against {Words.Percent(floor)} with public texts alone.",
            _ => " Downstream accuracy was not measured.",
        };
        string moved = Drift(run) is { } drift ? $" The Fréchet distance to held-out texts went from {Words.Number(drift.First)} to {Words.Number(drift.Last)}." : "";
        return did + found + moved;
    }

    private static (double First, double Last)? Drift(RunResult run)
    {
        double[] all = [.. run.Rounds.Where(r => r.Fid is not null).Select(r => r.Fid!.Value), .. run.Final?.Fid is { } end ? [end] : Array.Empty<double>()];
        return all.Length >= 2 ? (all[0], all[^1]) : null;
    }

    private static string Cost(PrivacyResult privacy) =>
        double.IsFinite(privacy.Epsilon) && !privacy.ReproducibleNoise ? $", at ε = {Words.Number(privacy.Epsilon)}" : "";
}
