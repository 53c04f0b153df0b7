using Chorus.Actors.Runs;

namespace Chorus.Dashboard.Parts;

/// <summary>The steps of a run in words, and their lanes on the time line.</summary>
internal static class Phases
{
    /// <summary>The four steps of a round, in their order.</summary>
    public static IReadOnlyList<(RunStep Step, string Name)> OfARound { get; } =
        [(RunStep.Generate, "write"), (RunStep.CollectFeedback, "vote"), (RunStep.Learn, "learn"), (RunStep.Evaluate, "measure")];

    public static IReadOnlyList<string> Lanes { get; } = ["prepare", "write", "vote", "learn", "measure"];

    public static int LaneOf(RunStep step) => step switch
    {
        RunStep.Start => 0,
        RunStep.Generate or RunStep.WriteSynthetic => 1,
        RunStep.CollectFeedback => 2,
        RunStep.Learn => 3,
        _ => 4,
    };

    /// <summary>What goes on, as the end of a sentence.</summary>
    public static string Doing(RunStep step) => step switch
    {
        RunStep.Start => "getting ready",
        RunStep.Generate => "the model writes candidates",
        RunStep.CollectFeedback => "clients vote",
        RunStep.Learn => "the model learns from the votes",
        RunStep.Evaluate => "the distance to the clients' texts is measured",
        RunStep.WriteSynthetic => "the model writes the synthetic texts",
        RunStep.MeasureDownstream => "the downstream model is trained and tested",
        RunStep.Finish => "the report is written",
        _ => "nothing is left to do",
    };
}
