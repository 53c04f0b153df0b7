namespace Chorus.Simulation.Data.Partition;

/// <summary>Deals texts to clients: by chance alone, or by mixtures of topics of their own.</summary>
internal static class TextDeal
{
    private const ulong ShuffleStream = 2, TopicStream = 3;

    /// <summary>Any text is as likely for any client as any other.</summary>
    /// <returns>For each text its client; -1 for none.</returns>
    public static int[] ByChance(int texts, int[] sizes, ulong seed)
    {
        int[] order = Shuffled([.. Enumerable.Range(0, texts)], new KeyedRandom(seed, ShuffleStream, 0));
        var client = new int[texts];
        Array.Fill(client, -1);
        int at = 0;
        for (int c = 0; c < sizes.Length; c++)
        {
            for (int i = 0; i < sizes[c]; i++) client[order[at++]] = c;
        }
        return client;
    }

    /// <summary>Each client's topics follow a mixture drawn from Dirichlet(alpha times the mixture of what is left), as long as it lasts.</summary>
    /// <remarks>
    /// As Hsu, Qi and Brown (arXiv:1909.06335, section 3.1) without drawing mixtures: an urn gives the same law (Blackwell and MacQueen 1973). A
    /// client's text i has the topic of one of its earlier texts with probability i / (alpha + i), else that of any text left. Texts are
    /// dealt once each, so where a topic runs out the client takes from the others, and the last clients get what nobody else did.
    /// </remarks>
    /// <param name="topicOf">For each text its topic, in [0, topics).</param>
    /// <param name="topics">Number of topics.</param>
    /// <param name="sizes">Texts of each client; together at most as many as there are.</param>
    /// <param name="alpha">Concentration, above 0.</param>
    /// <param name="seed">The same seed deals the same.</param>
    /// <returns>For each text its client; -1 for none.</returns>
    public static int[] ByTopic(int[] topicOf, int topics, int[] sizes, double alpha, ulong seed)
    {
        var pools = new List<int>[topics];
        for (int t = 0; t < topics; t++) pools[t] = [];
        foreach (int text in Shuffled([.. Enumerable.Range(0, topicOf.Length)], new KeyedRandom(seed, ShuffleStream, 0))) pools[topicOf[text]].Add(text);
        var client = new int[topicOf.Length];
        Array.Fill(client, -1);
        int left = topicOf.Length;
        var own = new List<int>();
        for (int c = 0; c < sizes.Length; c++)
        {
            var random = new KeyedRandom(seed, TopicStream, (ulong)c);
            own.Clear();
            for (int i = 0; i < sizes[c]; i++, left--)
            {
                int topic = random.Uniform() * (alpha + i) < alpha ? TopicLeft(ref random) : own[random.Below(i)];
                if (pools[topic].Count == 0) topic = TopicLeft(ref random);
                own.Add(topic);
                client[pools[topic][^1]] = c;
                pools[topic].RemoveAt(pools[topic].Count - 1);
            }
        }
        return client;

        int TopicLeft(ref KeyedRandom random)
        {
            int at = random.Below(left), topic = 0;
            for (; at >= pools[topic].Count; topic++) at -= pools[topic].Count;
            return topic;
        }
    }

    // Fisher and Yates.
    private static int[] Shuffled(int[] values, KeyedRandom random)
    {
        for (int i = values.Length - 1; i > 0; i--)
        {
            int j = random.Below(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
        return values;
    }
}
