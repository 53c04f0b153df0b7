using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Runs;

/// <summary>What a run guarantees to a client, in words; docs/privacy.md says why.</summary>
internal static class PrivacyStatement
{
    private const string NotCovered = "Accuracy, FID, the ceiling and the counts of clients are measured without noise by the simulator; epsilon does not cover them.";

    public static string Of(RunContext context, double epsilon)
    {
        var settings = context.Settings;
        if (settings.Method == Method.Public)
            return "Nothing of the private clients was released: the model knows public texts alone.";
        if (settings.Method == Method.Untuned)
            return "Nothing of the private clients was released: the policy knows public texts alone, and what it wrote is all that the model adds to them.";
        if (double.IsPositiveInfinity(epsilon))
            return $"This run promises nothing: {(settings.Method == Method.Private ? "the model was trained on the private texts themselves" : "what it released carries no noise")}.";
        var repeatable = settings.Privacy.ReproducibleNoise
            ? " Noise and cohorts of this run follow from its seed, so the figures say what the mechanism costs, not that this output is private."
            : "";
        var neighbours = settings.Privacy.Adjacency == Adjacency.ReplaceOne ? "replacing one client by another" : "adding or removing one client";
        var composed = context.Charges.Sampling is FullParticipation ? "composed exactly" : "composed by privacy loss distributions, an upper bound that holds while nobody learns who was drawn";
        var left = !settings.Method.HasRounds() ? "" : settings.Clients.Availability switch
        {
            { Model: null } => "",
            { FirstCome: true } => " Of those who are asked the first to answer are counted, so that one client may keep another out: all who are asked are charged.",
            _ => " Clients that are away, drop out or are late are left out; all who are asked are charged.",
        };
        return FormattableString.Invariant(
            $"{Releases(context)}, with {(settings.Method == Method.DpSgd ? "Gaussian" : "discrete Gaussian")} noise of multiplier {context.NoiseMultiplier:0.####}, cost ({epsilon:0.####}, {context.Delta:0.##e+0})-differential privacy together to {neighbours}, {composed}.{left} {Made(settings.Method)} {NotCovered}{repeatable}");
    }

    private static string Releases(RunContext context)
    {
        var (settings, rounds, sampling) = (context.Settings, context.Plan.Rounds, context.Charges.Sampling);
        return settings.Method switch
        {
            Method.DpSgd => FormattableString.Invariant($"{settings.DpSgd.Steps} steps of DP-SGD, in each of which a client with all its texts is one example whose gradient counts with an L2 norm of at most {settings.DpSgd.Clip:g}, under {sampling}"),
            Method.DpFtrl => FormattableString.Invariant($"{rounds} releases of summed client updates whose noise is correlated over {settings.Federated.Bands} rounds, in which each client takes part {(context.Charges.All.Length == 1 ? "once" : $"{context.Charges.All.Length} times")} at most and each time moves what is released by at most 1 in L2, under turns that are public"),
            Method.DpFedAvg => FormattableString.Invariant($"{rounds} releases of summed client updates, each clipped so that adding or removing one client with all its texts moves the sum by at most 1 in units of the clipping threshold, under {sampling}"),
            _ => FormattableString.Invariant($"{rounds} releases of summed client votes, each of L2 sensitivity 1 to adding or removing one client with all its texts, under {sampling}"),
        };
    }

    private static string Made(Method method) => method.WritesTexts()
        ? "The policy, the synthetic texts and the scores are functions of these releases and of public data."
        : "The trained model is a function of these releases and of public data.";
}
