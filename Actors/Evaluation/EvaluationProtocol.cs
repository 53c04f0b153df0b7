using System.Collections.Immutable;
using Chorus.Simulation.Metrics;

namespace Chorus.Actors.Evaluation;

/// <summary>
/// What the coordinator asks of the evaluator, which holds the downstream model. Where clients train that model it is also asked
/// for each round's weights and to learn from each round's release, by the messages that a policy gets.
/// </summary>
public static class EvaluationProtocol
{
    /// <summary>Train and test the downstream model: floor, the run's method, ceiling.</summary>
    /// <param name="NoiseMultiplier">What a training that is itself the release (dp-sgd) is charged for; 0 where nothing is.</param>
    public sealed record MeasureDownstream(string Run, string Folder, double NoiseMultiplier = 0) : Policy.PolicyProtocol.IRequest;

    public sealed record DownstreamDone(string Run, ImmutableArray<ArmMeasured> Arms, double Seconds) : IRunMessage;
}

/// <summary>One arm of the downstream experiment.</summary>
/// <param name="Name">floor (public), the method's name (public, then what the method made), or ceiling (public, then private; not private).</param>
/// <param name="Texts">Training texts of the arm's own stage, validation included; 0 where clients trained.</param>
/// <param name="ChosenEpoch">Chosen on the arm's own validation texts; 0 is the starting model.</param>
/// <param name="ValidationAccuracy">Top-1 next-token accuracy on those; NaN where nothing was chosen.</param>
/// <param name="TestAccuracy">Top-1 next-token accuracy on held-out clients' texts, measured once.</param>
public sealed record ArmMeasured(string Name, int Texts, int Epochs, int ChosenEpoch, double ValidationAccuracy, double TestAccuracy, long TestTokens)
{
    /// <summary>The test accuracy split by topic; empty where it is not.</summary>
    public ImmutableArray<TopicAccuracy> Topics { get; init; } = [];
}
