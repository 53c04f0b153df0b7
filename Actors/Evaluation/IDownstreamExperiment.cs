using System.Collections.Immutable;
using Chorus.Actors.Settings;
using Chorus.Simulation.Metrics;

namespace Chorus.Actors.Evaluation;

/// <summary>
/// The small next-token model that shows what a method is worth: trained on what the method made, or by it. Synchronous; its actor
/// calls it on the device's own thread only. All arms begin at the floor.
/// </summary>
public interface IDownstreamExperiment : IDisposable
{
    /// <summary>Trains on the public texts from scratch and tests: the floor, where the other arms start.</summary>
    ArmMeasured Floor(IReadOnlyList<string> publicTexts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Trains on from the floor on the arm's own texts and tests.</summary>
    ArmMeasured From(string arm, IReadOnlyList<string> texts, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>Trains on from the floor by DP-SGD in which each client, with all its texts, is one example; and tests.</summary>
    /// <param name="noiseMultiplier">Noise standard deviation over the clipping threshold; 0 adds none.</param>
    ArmMeasured FromPrivately(
        string arm, IReadOnlyList<IReadOnlyList<string>> clients, double noiseMultiplier, HeldOutTexts heldOut, Action<long, long, string> progress, CancellationToken ct);

    /// <summary>The floor's weights, float32 in the order of the model's parameters.</summary>
    float[] FloorWeights();

    /// <summary>Tests a model of given weights.</summary>
    /// <param name="weights">As <see cref="FloorWeights"/> has them.</param>
    ArmMeasured Measure(string arm, ReadOnlySpan<float> weights, HeldOutTexts heldOut, CancellationToken ct);
}

/// <summary>The test set.</summary>
/// <param name="Texts">Texts of clients that no arm trains on.</param>
/// <param name="Topics">The topics that accuracies are split by.</param>
public sealed record HeldOutTexts(ImmutableArray<string> Texts, HeldOutTopics Topics)
{
    /// <summary>Adds up counts by topic, in the topics' order; those without a token are left out.</summary>
    /// <param name="each">For each text, tokens predicted rightly and tokens counted.</param>
    public ImmutableArray<TopicAccuracy> ByTopic(IReadOnlyList<(int Correct, int Counted)> each)
    {
        ArgumentNullException.ThrowIfNull(each);
        if (each.Count != Texts.Length)
            throw new ArgumentException($"each must hold one count for each of {Texts.Length} texts, got {each.Count}");
        var correct = new long[Topics.Names.Length];
        var counted = new long[Topics.Names.Length];
        for (var i = 0; i < each.Count; i++)
        {
            correct[Topics.Of[i]] += each[i].Correct;
            counted[Topics.Of[i]] += each[i].Counted;
        }

        return [.. Topics.Names.Select((name, t) => (name, t)).Where(x => counted[x.t] > 0)
            .Select(x => new TopicAccuracy(x.name, counted[x.t], (double)correct[x.t] / counted[x.t]))];
    }
}

/// <summary>Makes the experiment of a run.</summary>
public delegate IDownstreamExperiment DownstreamFactory(RunSettings settings, IReadOnlyList<string> publicTexts, CancellationToken ct);
