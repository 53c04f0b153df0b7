using System.Collections.Immutable;
using Chorus.Simulation.Metrics;

namespace Chorus.Actors.Evaluation;

/// <summary>What the coordinator asks of the evaluator at the end of a run.</summary>
public static class EvaluationProtocol
{
    /// <summary>Train and test the downstream model: floor, popri, ceiling.</summary>
    public sealed record MeasureDownstream(string Run, string Folder) : Policy.PolicyProtocol.IRequest;

    public sealed record DownstreamDone(string Run, ImmutableArray<ArmMeasured> Arms, double Seconds) : IRunMessage;
}

/// <summary>One arm of the downstream experiment.</summary>
/// <param name="Name">floor (public), popri (public, then synthetic) or ceiling (public, then private; not private).</param>
/// <param name="Texts">Training texts of the arm's own stage, validation included.</param>
/// <param name="ChosenEpoch">Chosen on the arm's own validation texts; 0 is the starting model.</param>
/// <param name="ValidationAccuracy">Top-1 next-token accuracy on those.</param>
/// <param name="TestAccuracy">Top-1 next-token accuracy on held-out clients' texts, measured once.</param>
public sealed record ArmMeasured(string Name, int Texts, int Epochs, int ChosenEpoch, double ValidationAccuracy, double TestAccuracy, long TestTokens)
{
    /// <summary>The test accuracy split by topic; empty where it is not.</summary>
    public ImmutableArray<TopicAccuracy> Topics { get; init; } = [];
}
