using System.Collections.Immutable;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Data;

/// <summary>The topic of every private text: the data's own labels where it has them, else clusters of the public texts.</summary>
internal sealed class PrivateTopics
{
    private readonly Func<IReadOnlyList<string>, ImmutableArray<string>?> _label;

    private PrivateTopics(IReadOnlyList<string> names, int[] ofTexts, Func<IReadOnlyList<string>, ImmutableArray<string>?> label) =>
        (Names, OfTexts, _label) = (names, ofTexts, label);

    public IReadOnlyList<string> Names { get; }

    /// <summary>For each private text, client by client, the index of its topic.</summary>
    public int[] OfTexts { get; }

    public string NameOf(int text) => Names[OfTexts[text]];

    /// <summary>Topics of other texts, where they can be told from the texts alone; null where topics are the data's labels.</summary>
    public ImmutableArray<string>? Label(IReadOnlyList<string> texts) => _label(texts);

    /// <param name="corpus">The corpus.</param>
    /// <param name="labels">Labels of its private texts, if it has any.</param>
    /// <param name="topics">Clusters made where it has none.</param>
    /// <param name="ct">Ends the work.</param>
    public static PrivateTopics Of(FederatedCorpus corpus, ClientTexts? labels, int topics, CancellationToken ct)
    {
        int[] of = new int[corpus.Clients.TextCount];
        if (labels is not null)
        {
            var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
            for (int client = 0, text = 0; client < labels.Count; client++)
            {
                ct.ThrowIfCancellationRequested();
                foreach (string label in labels.ReadTexts(client))
                {
                    if (!numbers.TryGetValue(label, out int number)) numbers[label] = number = numbers.Count;
                    of[text++] = number;
                }
            }
            return new PrivateTopics([.. numbers.OrderBy(n => n.Value).Select(n => n.Key)], of, _ => null);
        }
        HashedNgramEncoder encoder = HashedNgramEncoder.Fit(corpus.Initial);
        TopicClusters clusters = TopicClusters.Of(encoder, corpus.Initial, topics);
        const int clientsAPiece = 500;
        for (int client = 0, text = 0; client < corpus.Clients.Count; client += clientsAPiece)
        {
            ct.ThrowIfCancellationRequested();
            string[] piece = [.. Enumerable.Range(client, Math.Min(clientsAPiece, corpus.Clients.Count - client)).SelectMany(c => corpus.Clients.ReadTexts(c))];
            foreach (int topic in clusters.Assign(encoder, piece)) of[text++] = topic;
        }
        return new PrivateTopics(clusters.Names, of, texts => [.. clusters.Assign(encoder, texts).Select(t => clusters.Names[t])]);
    }
}
