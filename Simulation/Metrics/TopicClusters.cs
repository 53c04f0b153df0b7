using System.Collections.Immutable;
using Chorus.Simulation.Embedding;

namespace Chorus.Simulation.Metrics;

/// <summary>Topics made from public texts alone: clusters of their embeddings, each named by its own words.</summary>
/// <remarks>
/// No private text decides what a topic is or what it is called, so both may be shown. Which of them a private or held-out text
/// falls into is, of course, that text's.
/// </remarks>
public sealed class TopicClusters
{
    /// <summary>Public texts at most that topics are made from, evenly over all.</summary>
    private const int MostTexts = 5000;

    private const int WordsAName = 3;
    private const ulong Seed = 1;   // topics of one public set are the same in every run

    private readonly Clustering _clusters;

    private TopicClusters(Clustering clusters, ImmutableArray<string> names) => (_clusters, Names) = (clusters, names);

    /// <summary>A few words for each topic, such as "insulin, hospitals, nurses".</summary>
    public ImmutableArray<string> Names { get; }

    /// <param name="encoder">The encoder that later texts are embedded with.</param>
    /// <param name="publicTexts">At least one.</param>
    /// <param name="topics">At least 1; fewer come out where fewer texts differ.</param>
    public static TopicClusters Of(ISentenceEncoder encoder, IReadOnlyList<string> publicTexts, int topics)
    {
        ArgumentNullException.ThrowIfNull(publicTexts);
        int count = Math.Min(MostTexts, publicTexts.Count);
        string[] texts = [.. Enumerable.Range(0, count).Select(i => publicTexts[(int)((long)i * publicTexts.Count / count)])];
        Clustering clusters = KMeans.Fit(EmbeddingMatrix.Encode(encoder, texts), topics, Seed);
        return new TopicClusters(clusters, Name(texts, clusters));
    }

    /// <summary>For each text, the index of its topic.</summary>
    /// <param name="encoder">As in <see cref="Of"/>.</param>
    /// <param name="texts">Any texts.</param>
    public int[] Assign(ISentenceEncoder encoder, IReadOnlyList<string> texts) => _clusters.Assign(EmbeddingMatrix.Encode(encoder, texts));

    // A word counts for a topic by how many of its texts hold it, times by how much that is more than elsewhere.
    private static ImmutableArray<string> Name(string[] texts, Clustering clusters)
    {
        var vocabulary = new Vocabulary();
        int[][] words = [.. texts.Select(t => vocabulary.Learn(t).Distinct().ToArray())];
        var inAll = new double[vocabulary.Count];
        var inTopic = new double[clusters.Centres.Length][];
        for (int k = 0; k < inTopic.Length; k++)
            inTopic[k] = new double[vocabulary.Count];
        for (int i = 0; i < texts.Length; i++)
        {
            foreach (int word in words[i])
            {
                inAll[word]++;
                inTopic[clusters.Of[i]][word]++;
            }
        }

        string[] spelled = [.. vocabulary.Words];
        return [.. inTopic.Select((counts, k) =>
        {
            double size = clusters.Of.Count(of => of == k), others = texts.Length - size;
            double Weight(int word) => counts[word] / Math.Max(1, size)
                * Math.Log((counts[word] + 0.5) / (size + 1) * (others + 1) / (inAll[word] - counts[word] + 0.5));
            return string.Join(", ", Enumerable.Range(0, counts.Length).Where(w => counts[w] > 0)
                .OrderByDescending(Weight).ThenBy(w => w).Take(WordsAName).Select(w => spelled[w]));
        })];
    }
}
