using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Partition;

namespace Chorus.Simulation.Tests.Data.Partition;

public sealed class CorpusPartitionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CorpusPartitionTests() =>
        CorpusSynthesizer.Write(new SynthesisSettings { Clients = 120, InitialTexts = 300, EvalClients = 10, Alpha = 1000 }, In("source"));

    public void Dispose() => _folder.Dispose();

    public static TheoryData<PartitionSettings> Ways =>
    [
        new PartitionSettings { Kind = PartitionKind.Natural, MinTexts = 3, MaxTexts = 10, Clients = 60 },
        new PartitionSettings { Kind = PartitionKind.Fixed, Texts = 7 },
        new PartitionSettings { Kind = PartitionKind.PowerLaw, Exponent = 1.2, MaxTexts = 30, Clients = 40 },
        new PartitionSettings { Kind = PartitionKind.Dirichlet, Alpha = 0.1 },
        new PartitionSettings { Kind = PartitionKind.Dirichlet, Alpha = 0.1, Exponent = 1, MaxTexts = 20 },
    ];

    [Theory, MemberData(nameof(Ways))]
    public void Given_a_corpus_When_divided_anew_Then_its_texts_keep_their_topics_none_comes_twice_and_the_rest_of_it_stays(PartitionSettings settings)
    {
        using FederatedCorpus source = FederatedCorpus.Open(In("source"));
        var told = new List<int>();
        PartitionSummary summary = CorpusPartition.Run(source, settings, In("out"), new Told(told.Add));
        CorpusPartition.Run(source, settings, In("again"));
        CorpusPartition.Run(source, settings with { Seed = 2 }, In("other"));

        using FederatedCorpus made = FederatedCorpus.Open(In("out")), again = FederatedCorpus.Open(In("again")), other = FederatedCorpus.Open(In("other"));
        Assert.Equal([120], told);
        Assert.Equal((summary.Clients, summary.Texts), (made.Clients.Count, made.Clients.TextCount));
        Assert.Equal(source.Clients.TextCount, summary.Texts + summary.LeftOut);
        Assert.Equal(made.Sha256, again.Sha256);
        Assert.NotEqual(made.Sha256, other.Sha256);
        Assert.Equal(source.Eval.AsEnumerable(), made.Eval);
        Assert.Equal(source.Initial.AsEnumerable(), made.Initial);
        Assert.Equal(CorpusTopics.ReadEval(source)!.Value.AsEnumerable(), CorpusTopics.ReadEval(made)!.Value);
        (string, string)[] before = [.. Labelled(source)], after = [.. Labelled(made)];
        Assert.Empty(after.Except(before));
        Assert.All(after.CountBy(t => t), t => Assert.True(t.Value <= before.Count(b => b == t.Key)));   // grammars repeat texts
        int[] sizes = [.. Enumerable.Range(0, made.Clients.Count).Select(made.Clients.TextCountOf)];
        switch (settings)
        {
            case { Kind: PartitionKind.Natural }:
                Assert.Equal(60, sizes.Length);
                Assert.All(sizes, s => Assert.InRange(s, 3, 10));
                break;
            case { Exponent: not null }:
                Assert.All(sizes, s => Assert.InRange(s, 1, 30));
                Assert.True(sizes.Distinct().Count() > 4);
                break;
            default:
                Assert.All(sizes, s => Assert.Equal(settings.Texts, s));
                Assert.True(summary.LeftOut < settings.Texts);
                break;
        }
    }

    [Fact]
    public void Given_natural_clients_When_cut_Then_they_keep_their_names_and_a_draw_of_their_texts_in_order()
    {
        using FederatedCorpus source = FederatedCorpus.Open(In("source"));
        CorpusPartition.Run(source, new PartitionSettings { Kind = PartitionKind.Natural, MaxTexts = 4 }, In("out"));
        using FederatedCorpus made = FederatedCorpus.Open(In("out"));
        Assert.Equal(120, made.Clients.Count);
        bool drawn = false;
        for (int c = 0; c < 120; c++)
        {
            Assert.Equal(source.Clients.IdOf(c), made.Clients.IdOf(c));
            string[] all = [.. source.Clients.ReadTexts(c)], kept = [.. made.Clients.ReadTexts(c)];
            Assert.Equal(Math.Min(4, all.Length), kept.Length);
            int at = -1;
            Assert.All(kept, t => Assert.True((at = Array.IndexOf(all, t, at + 1)) >= 0));
            drawn |= !kept.SequenceEqual(all.Take(4));
        }

        Assert.True(drawn);
    }

    [Fact]
    public void Given_a_small_concentration_When_divided_by_topic_Then_clients_keep_to_few_topics_whether_labels_or_clusters()
    {
        using FederatedCorpus source = FederatedCorpus.Open(In("source"));
        double mixed = TopicsAClient(source);
        CorpusPartition.Run(source, new PartitionSettings { Kind = PartitionKind.Dirichlet, Alpha = 0.05 }, In("labels"));
        using FederatedCorpus byLabel = FederatedCorpus.Open(In("labels"));
        Assert.True(TopicsAClient(byLabel) < 0.5 * mixed, $"{TopicsAClient(byLabel)} {mixed}");

        // The same without labels: topics are then clusters of the public texts, and their names become the labels.
        string bare = Directory.CreateDirectory(In("bare")).FullName;
        foreach (string file in new[] { FederatedCorpus.ClientsFile, FederatedCorpus.EvalFile, FederatedCorpus.InitialFile })
            File.Copy(Path.Combine(In("source"), file), Path.Combine(bare, file));
        using FederatedCorpus unlabelled = FederatedCorpus.Open(bare);
        PartitionSummary summary = CorpusPartition.Run(unlabelled, new PartitionSettings { Kind = PartitionKind.Dirichlet, Alpha = 0.05, Topics = 6 }, In("clusters"));
        using FederatedCorpus byCluster = FederatedCorpus.Open(In("clusters"));
        Assert.Equal(6, summary.Topics.Count);
        Assert.True(TopicsAClient(byCluster) < 3);
        Assert.All(CorpusTopics.ReadEval(byCluster)!.Value, t => Assert.Contains(t, summary.Topics));
        Assert.Equal(unlabelled.Initial.Length, CorpusTopics.ReadInitial(byCluster)!.Value.Length);
    }

    [Fact]
    public void Given_what_cannot_be_divided_When_asked_Then_says_why_and_leaves_nothing()
    {
        using FederatedCorpus source = FederatedCorpus.Open(In("source"));
        string Says<T>(PartitionSettings settings) where T : Exception => Assert.Throws<T>(() => CorpusPartition.Run(source, settings, In("out"))).Message;
        Assert.Contains("a power law needs an Exponent", Says<ArgumentException>(new PartitionSettings { Kind = PartitionKind.PowerLaw }), StringComparison.Ordinal);
        Assert.Contains("MaxTexts must be at least MinTexts, 5", Says<ArgumentException>(new PartitionSettings { Kind = PartitionKind.Natural, MinTexts = 5, MaxTexts = 4 }), StringComparison.Ordinal);
        Assert.Contains("lower --clients or --min-texts", Says<DataFormatException>(new PartitionSettings { Kind = PartitionKind.Natural, Clients = 500 }), StringComparison.Ordinal);
        Assert.Contains("lower --min-texts", Says<DataFormatException>(new PartitionSettings { Kind = PartitionKind.Natural, MinTexts = 500 }), StringComparison.Ordinal);
        Assert.Contains("lower --clients", Says<DataFormatException>(new PartitionSettings { Kind = PartitionKind.Fixed, Clients = 5_000 }), StringComparison.Ordinal);
        Assert.False(Directory.Exists(In("out")));
        Assert.Empty(Directory.GetDirectories(_folder.Path, "*.tmp"));
    }

    private static IEnumerable<(string Text, string Topic)> Labelled(FederatedCorpus corpus)
    {
        using ClientTexts topics = CorpusTopics.OpenClients(corpus)!;
        return [.. Enumerable.Range(0, topics.Count).SelectMany(c => corpus.Clients.ReadTexts(c).Zip(topics.ReadTexts(c)))];
    }

    private static double TopicsAClient(FederatedCorpus corpus)
    {
        using ClientTexts topics = CorpusTopics.OpenClients(corpus)!;
        return Enumerable.Range(0, topics.Count).Where(c => topics.TextCountOf(c) >= 8).Average(c => topics.ReadTexts(c).Take(8).Distinct().Count());
    }

    private string In(string name) => Path.Combine(_folder.Path, name);

    private sealed class Told(Action<int> tell) : IProgress<int>
    {
        public void Report(int value) => tell(value);
    }
}
