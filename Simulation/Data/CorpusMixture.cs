using System.Collections.Immutable;

namespace Chorus.Simulation.Data;

/// <summary>How often a topic comes up.</summary>
/// <param name="Topic">Its name.</param>
/// <param name="Private">Share of the clients' texts, in [0, 1].</param>
/// <param name="HeldOut">Share of the held-out texts; null where their topics are not known.</param>
/// <param name="Public">Share of the public texts; null where their topics are not known.</param>
public sealed record TopicShare(string Topic, double Private, double? HeldOut, double? Public);

/// <summary>How many clients have so many texts.</summary>
/// <param name="From">Fewest texts.</param>
/// <param name="To">Most texts.</param>
public sealed record SizeBin(int From, int To, int Clients);

/// <summary>How a corpus' clients differ, in size and in topics: for whoever runs the simulation and owns all of its data.</summary>
/// <remarks>Exact figures of private texts, without noise: no part of what a run releases.</remarks>
/// <param name="Sizes">Clients by their number of texts, in bins that double: 0, 1, 2, 3 to 4, 5 to 8, ...</param>
/// <param name="Labelled">Whether topics are the data's own; else they are clusters of the public texts.</param>
/// <param name="Topics">The most frequent topics, most frequent first; those beyond them last, as one.</param>
/// <param name="SameTopic">The probability that two texts of one client share their topic, averaged over clients with two or more.</param>
/// <param name="SameTopicIfAlike">The same for two texts of anybody: what it would be if clients did not differ.</param>
/// <param name="MainTopic">For clients with at least <see cref="LeastTexts"/> texts: how many have 0 to 10%, ..., 90 to 100% of their texts on their commonest topic.</param>
/// <param name="MainTopicIfAlike">The same with all topics dealt anew to the texts, by chance.</param>
public sealed record CorpusMixture(
    ImmutableArray<SizeBin> Sizes, bool Labelled, ImmutableArray<TopicShare> Topics, double? SameTopic, double SameTopicIfAlike,
    ImmutableArray<int> MainTopic, ImmutableArray<int> MainTopicIfAlike)
{
    /// <summary>The fewest texts with which a client's commonest topic says something.</summary>
    public const int LeastTexts = 4;

    private const int Bins = 10;

    /// <summary>
    /// The Dirichlet concentration with which clients drawn around the population's mixture would be as mixed as these; null where they
    /// are no more alike than strangers, infinitely large where they do not differ.
    /// </summary>
    /// <remarks>Two texts of a client share a topic with probability (1 + a s) / (1 + a), s being what strangers have.</remarks>
    public double? Alpha => SameTopic is { } same && SameTopicIfAlike < 1
        ? same > SameTopicIfAlike ? (1 - same) / (same - SameTopicIfAlike) : double.PositiveInfinity
        : null;

    /// <param name="corpus">Read once; twice where its topics are clusters.</param>
    /// <param name="most">Topics named at most, and clusters made where the data names none; at least 2.</param>
    /// <param name="ct">Ends the work.</param>
    /// <exception cref="DataFormatException">The data's topics do not fit its texts.</exception>
    public static CorpusMixture Of(FederatedCorpus corpus, int most, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 2);
        using ClientTexts? labels = CorpusTopics.OpenClients(corpus);
        PrivateTopics topics = PrivateTopics.Of(corpus, labels, most, ct);
        int[] sizes = [.. Enumerable.Range(0, corpus.Clients.Count).Select(corpus.Clients.TextCountOf)];
        int[] counts = new int[topics.Names.Count];
        foreach (int topic in topics.OfTexts) counts[topic]++;
        (double? same, int[] main) = ByClient(sizes, topics.OfTexts, counts.Length);
        double texts = Math.Max(1, topics.OfTexts.Length);
        return new CorpusMixture(
            SizesOf(sizes), labels is not null, SharesOf(corpus, topics, counts, most), same, counts.Sum(c => c / texts * (c / texts)), [.. main],
            [.. ByClient(sizes, Shuffled(topics.OfTexts), counts.Length).Main]);
    }

    private static ImmutableArray<SizeBin> SizesOf(int[] sizes)
    {
        int largest = sizes.Max();
        var bins = new List<SizeBin> { Bin(0, 0), Bin(1, 1) };
        for (int from = 2, to = 2; from <= largest; (from, to) = (to + 1, 2 * to)) bins.Add(Bin(from, to));
        return [.. bins];

        SizeBin Bin(int from, int to) => new(from, to, sizes.Count(s => s >= from && s <= to));
    }

    private static ImmutableArray<TopicShare> SharesOf(FederatedCorpus corpus, PrivateTopics topics, int[] counts, int most)
    {
        ImmutableArray<string>? heldOut = CorpusTopics.ReadEval(corpus) ?? topics.Label(corpus.Eval), initial = CorpusTopics.ReadInitial(corpus) ?? topics.Label(corpus.Initial);
        // Clusters may bear one name, and labels of public texts need not be among those of private ones.
        Dictionary<string, double> own = topics.Names.Zip(counts).GroupBy(t => t.First).ToDictionary(g => g.Key, g => g.Sum(t => (double)t.Second));
        string[] all = [.. own.OrderByDescending(t => t.Value).ThenBy(t => t.Key, StringComparer.Ordinal).Select(t => t.Key)
            .Union((heldOut ?? []).Concat(initial ?? []).Order(StringComparer.Ordinal))];
        int named = all.Length > most ? most - 1 : all.Length;
        double total = Math.Max(1, topics.OfTexts.Length);
        List<TopicShare> shares = [.. all.Take(named).Select(name => Share(name, name.Equals))];
        if (named < all.Length)
        {
            var rest = all.Skip(named).ToHashSet();
            shares.Add(Share("others", rest.Contains));
        }
        return [.. shares];

        TopicShare Share(string name, Func<string, bool> holds) => new(
            name, own.Where(t => holds(t.Key)).Sum(t => t.Value) / total, ShareIn(heldOut, holds), ShareIn(initial, holds));

        static double? ShareIn(ImmutableArray<string>? labels, Func<string, bool> holds) => labels is { Length: > 0 } list ? (double)list.Count(holds) / list.Length : null;
    }

    /// <summary>Pairs of one client's texts that share a topic, and clients by the share of their commonest topic.</summary>
    private static (double? Same, int[] Main) ByClient(int[] sizes, int[] topicOf, int topics)
    {
        int[] main = new int[Bins], counts = new int[topics];
        double same = 0;
        int pairs = 0, text = 0;
        foreach (int size in sizes)
        {
            for (int i = 0; i < size; i++) counts[topicOf[text + i]]++;
            int most = 0;
            double alike = 0;
            for (int i = 0; i < size; i++)
            {
                ref int count = ref counts[topicOf[text + i]];
                most = Math.Max(most, count);
                alike += (double)count * (count - 1);
                count = 0;   // each topic is looked at once, and the counts are clean for the next client
            }
            text += size;
            if (size >= 2)
            {
                same += alike / ((double)size * (size - 1));
                pairs++;
            }
            if (size >= LeastTexts) main[Math.Min(Bins - 1, most * Bins / size)]++;
        }
        return (pairs > 0 ? same / pairs : null, main);
    }

    private static int[] Shuffled(int[] topics)
    {
        int[] shuffled = [.. topics];
        var random = new KeyedRandom(1, 6, 0);
        for (int i = shuffled.Length - 1; i > 0; i--)
        {
            int j = random.Below(i + 1);
            (shuffled[i], shuffled[j]) = (shuffled[j], shuffled[i]);
        }
        return shuffled;
    }
}
