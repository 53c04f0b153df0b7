using Chorus.Actors.Runs;
using Chorus.Actors.Settings;

namespace Chorus.Dashboard.Parts;

/// <summary>The steps of a run in words, and their lanes on the time line.</summary>
internal static class Phases
{
    private static readonly RunStep[] Round = [RunStep.Generate, RunStep.CollectFeedback, RunStep.Learn, RunStep.Evaluate];

    /// <summary>The four steps of a round, in their order, as they are in a run of this method.</summary>
    public static IReadOnlyList<(RunStep Step, string Name)> OfARound(Method method) => [.. Round.Zip(Names(method))];

    /// <summary>The lanes of the time line: what comes before the rounds, and the steps.</summary>
    public static IReadOnlyList<string> Lanes(Method method) => ["prepare", .. Names(method)];

    public static int LaneOf(RunStep step) => step switch
    {
        RunStep.Start => 0,
        RunStep.Generate or RunStep.WriteSynthetic => 1,
        RunStep.CollectFeedback => 2,
        RunStep.Learn => 3,
        _ => 4,
    };

    /// <summary>What goes on, as the end of a sentence.</summary>
    public static string Doing(RunStep step, Method method) => step switch
    {
        RunStep.Start => "getting ready",
        RunStep.Generate => method.TrainsAtClients() ? "the weights are sent out" : IsEvolution(method) ? "the model varies the best candidates" : "the model writes candidates",
        RunStep.CollectFeedback => method.TrainsAtClients() ? "clients train" : "clients vote",
        RunStep.Learn => method.TrainsAtClients() ? "the clients' changes are averaged" : IsEvolution(method) ? "the best candidates are selected" : "the model learns from the votes",
        RunStep.Evaluate => method.WritesTexts() ? "the distance to the clients' texts is measured" : "the round is closed",
        RunStep.WriteSynthetic => "the model writes the synthetic texts",
        RunStep.MeasureDownstream => method == Method.DpSgd ? "the downstream model is trained by DP-SGD and tested" : "the downstream model is trained and tested",
        RunStep.Finish => "the report is written",
        _ => "nothing is left to do",
    };

    private static string[] Names(Method method) => method.TrainsAtClients() ? ["send", "train", "average", "measure"]
        : IsEvolution(method) ? ["write", "vote", "select", "measure"]
        : ["write", "vote", "learn", "measure"];

    private static bool IsEvolution(Method method) => method is Method.Pe or Method.PeSft;
}
