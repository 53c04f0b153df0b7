namespace Chorus.Simulation.Report;

/// <summary>What a run did and what came of it, in plain words.</summary>
internal static class Headline
{
    /// <summary>Below this share of the gap a gain is not called one: about what a change of seed does.</summary>
    private const double Noticeable = 0.02;

    public static string Title(RunResult run) => run switch
    {
        { GapClosed: { } closed, Privacy: var privacy } when closed >= Noticeable => closed >= 1
            ? $"{Product(run)} closed the whole gap between public and private training data{Cost(privacy)}"
            : $"{Product(run)} closed {Words.Percent(closed, 0)} of the gap between public and private training data{Cost(privacy)}",
        { GapClosed: { } closed } => closed <= -Noticeable
            ? $"{Product(run)} did not help: the downstream model came out worse than on public texts alone"
            : $"{Product(run)} closed no gap: the downstream model came out as on public texts alone",
        { Accuracy: { Floor: { } floor, Ceiling: { } ceiling } } when ceiling <= floor =>
            "There was no gap to close: private texts were worth no more than public ones",
        { Accuracy: { Floor: { } floor, Ceiling: null, Method: null or double.NaN } } => $"Public texts alone: {Words.Percent(floor)} of held-out clients' next tokens",
        { Rounds.Length: 0, Accuracy.Method: { } method } when double.IsFinite(method) => $"{Product(run)}: {Words.Percent(method)} of held-out clients' next tokens",
        { Rounds.Length: 0, Accuracy: null } => "No round was closed",
        _ when Drift(run) is { } drift && drift.Last < drift.First => $"Feedback brought the model's texts nearer to the clients' texts{Cost(run.Privacy)}",
        _ when Drift(run) is not null => "Feedback did not bring the model's texts nearer to the clients' texts",
        _ => $"{Words.Counted(run.Rounds.Length, "round")} of private feedback{Cost(run.Privacy)}",
    };

    public static string Lead(RunResult run)
    {
        string did = run.Method switch
        {
            "public" => "A downstream model was trained on public texts alone: the floor of all methods.",
            "untuned" => "A public language model wrote texts as it is; no client was asked.",
            "private" => "A downstream model was trained on the private texts themselves, without privacy: the ceiling of all methods.",
            "dp-sgd" => $"One trainer with the texts of {Words.Counted(run.Clients, "simulated client")} trained the downstream model by DP-SGD; a client is an example.",
            "dp-fedavg" or "dp-ftrl" => $"In {Words.Counted(run.Rounds.Length, "round")} {Words.Counted(run.Clients, "simulated client")} trained the downstream model; no text left its client.",
            "pe" or "pe-sft" => $"In {Words.Counted(run.Rounds.Length, "round")} {Words.Counted(run.Clients, "simulated client")} voted for the candidates nearest to their texts; no text left its client.",
            _ => $"{Words.Counted(run.Rounds.Length, "round")} of feedback from {Words.Counted(run.Clients, "simulated client")} tuned a public language model; no text left its client.",
        };
        string model = MakesTexts(run) ? "A model trained with what it then wrote" : "The model";
        string found = run.Accuracy switch
        {
            { Floor: { } floor, Method: { } method, Ceiling: { } ceiling } =>
                $" {model} predicts {Words.Percent(method)} of held-out clients' next tokens, against {Words.Percent(floor)} with public texts alone and {Words.Percent(ceiling)} with the private texts themselves.",
            { Floor: { } floor, Method: { } method } =>
                $" {model} predicts {Words.Percent(method)} of held-out clients' next tokens, against {Words.Percent(floor)} with public texts alone.",
            { Floor: { } floor } => $" It predicts {Words.Percent(floor)} of held-out clients' next tokens.",
            _ => " Downstream accuracy was not measured.",
        };
        string moved = Drift(run) is { } drift ? $" The Fréchet distance to held-out texts went from {Words.Number(drift.First)} to {Words.Number(drift.Last)}." : "";
        return did + found + moved;
    }

    /// <summary>Whether what a method makes is synthetic texts, rather than a model.</summary>
    public static bool MakesTexts(RunResult run) => run.Method is "popri" or "popri-plus" or "pe" or "pe-sft" or "untuned";

    private static string Product(RunResult run) => MakesTexts(run) ? "Synthetic texts" : Words.Method(run.Method);

    private static (double First, double Last)? Drift(RunResult run)
    {
        double[] all = [.. run.Rounds.Where(r => r.Fid is not null).Select(r => r.Fid!.Value), .. run.Final?.Fid is { } end ? [end] : Array.Empty<double>()];
        return all.Length >= 2 ? (all[0], all[^1]) : null;
    }

    private static string Cost(PrivacyResult privacy) =>
        double.IsFinite(privacy.Epsilon) && !privacy.ReproducibleNoise ? $", at ε = {Words.Number(privacy.Epsilon)}" : "";
}
