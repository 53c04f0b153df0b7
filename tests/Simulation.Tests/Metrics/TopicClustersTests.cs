using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Tests.Metrics;

public class TopicClustersTests
{
    private static readonly string[] Farm = ["corn", "barley", "tractor", "harvest"], Sea = ["harbour", "fishing", "sailor", "tide"];

    [Fact]
    public void Given_public_texts_of_two_topics_When_clustered_Then_each_is_named_by_its_own_words_and_later_texts_find_theirs()
    {
        string[] texts = [.. Enumerable.Range(0, 80).Select(i => Text(i % 2 == 0 ? Farm : Sea, i))];
        var encoder = HashedNgramEncoder.Fit(texts, 64);
        TopicClusters topics = TopicClusters.Of(encoder, texts, 2);
        Assert.Equal(2, topics.Names.Length);
        int farm = topics.Assign(encoder, ["the corn and the barley harvest"])[0];
        Assert.All(topics.Names[farm].Split(", "), word => Assert.Contains(word, Farm));
        Assert.All(topics.Names[1 - farm].Split(", "), word => Assert.Contains(word, Sea));
        Assert.Equal([.. Enumerable.Range(0, 80).Select(i => i % 2 == 0 ? farm : 1 - farm)], topics.Assign(encoder, texts));
        Assert.Equal(topics.Names.AsEnumerable(), TopicClusters.Of(encoder, texts, 2).Names);
    }

    private static string Text(string[] words, int i) => $"we spoke of the {words[i / 2 % 4]} and of the {words[(i / 2 + 1 + i / 8 % 3) % 4]}";
}
