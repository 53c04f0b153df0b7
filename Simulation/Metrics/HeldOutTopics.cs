using System.Collections.Immutable;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Metrics;

/// <summary>Accuracy on the held-out texts of one topic.</summary>
/// <param name="Topic">Its name: a label of the corpus, or words of public texts.</param>
/// <param name="Tokens">Tokens predicted.</param>
/// <param name="Accuracy">Share of them predicted rightly, in [0, 1].</param>
public sealed record TopicAccuracy(string Topic, long Tokens, double Accuracy);

/// <summary>The topics by which accuracy on the held-out texts is split.</summary>
/// <param name="Names">Each topic's name.</param>
/// <param name="Of">For each held-out text, the index of its topic.</param>
public sealed record HeldOutTopics(ImmutableArray<string> Names, ImmutableArray<int> Of)
{
    /// <summary>What labels beyond the most frequent are gathered under.</summary>
    public const string Others = "others";

    /// <summary>No split: one topic that holds all texts.</summary>
    public static HeldOutTopics None(int texts) => new(["all"], [.. new int[texts]]);

    /// <summary>The corpus' own labels where it has them, else clusters of its public texts.</summary>
    /// <param name="corpus">The data.</param>
    /// <param name="encoder">Asked for only where there are no labels.</param>
    /// <param name="most">Topics at most, at least 1.</param>
    /// <exception cref="DataFormatException">The corpus' labels do not fit its texts.</exception>
    public static HeldOutTopics Read(FederatedCorpus corpus, Func<ISentenceEncoder> encoder, int most)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(most);
        if (CorpusTopics.ReadEval(corpus) is { } labels)
            return FromLabels(labels, most);
        ISentenceEncoder encodes = encoder();
        TopicClusters clusters = TopicClusters.Of(encodes, corpus.Initial, most);
        return new HeldOutTopics(clusters.Names, [.. clusters.Assign(encodes, corpus.Eval)]);
    }

    private static HeldOutTopics FromLabels(ImmutableArray<string> labels, int most)
    {
        string[] frequent = [.. labels.CountBy(l => l).OrderByDescending(l => l.Value).ThenBy(l => l.Key, StringComparer.Ordinal).Select(l => l.Key)];
        if (frequent.Length > most)
            frequent = [.. frequent.Take(most - 1), Others];
        Dictionary<string, int> at = frequent.Index().ToDictionary(f => f.Item, f => f.Index, StringComparer.Ordinal);
        return new HeldOutTopics([.. frequent], [.. labels.Select(l => at.GetValueOrDefault(l, frequent.Length - 1))]);
    }
}
