using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Partition;
using CsCheck;

namespace Chorus.Simulation.Tests.Data.Partition;

public class TextDealTests
{
    [Fact]
    public void Given_any_sizes_When_dealt_Then_every_client_has_its_size_and_the_seed_decides_who_gets_what() =>
        Gen.Select(Gen.Int[1, 6].Array[1, 12], Gen.Int[0, 9], Gen.Int[1, 5], Gen.Double[0.01, 50], Gen.Int[0, 99]).Sample((sizes, spare, topics, alpha, seed) =>
        {
            int texts = sizes.Sum() + spare;
            var random = new Random(seed);
            int[] topicOf = [.. Enumerable.Range(0, texts).Select(_ => random.Next(topics))];
            foreach (Func<ulong, int[]> deal in new Func<ulong, int[]>[] { s => TextDeal.ByChance(texts, sizes, s), s => TextDeal.ByTopic(topicOf, topics, sizes, alpha, s) })
            {
                int[] client = deal((ulong)seed);
                Assert.Equal(texts, client.Length);
                Assert.Equal(spare, client.Count(c => c < 0));
                Assert.All(sizes.Index(), s => Assert.Equal(s.Item, client.Count(c => c == s.Index)));
                Assert.Equal(client, deal((ulong)seed));
            }
        }, iter: 200);

    /// <summary>Two texts of a client share their topic with probability (1 + alpha sum p^2) / (1 + alpha), as long as texts last.</summary>
    [Theory]
    [InlineData(0.01)]
    [InlineData(0.5)]
    [InlineData(4)]
    [InlineData(1e6)]
    public void Given_a_concentration_When_dealt_by_topic_Then_clients_are_as_mixed_as_the_law_says(double alpha)
    {
        double[] p = [0.5, 0.3, 0.15, 0.05];
        int[] topicOf = [.. Enumerable.Range(0, 400_000).Select(i => i % 100 < 50 ? 0 : i % 100 < 80 ? 1 : i % 100 < 95 ? 2 : 3)];
        const int clients = 10_000;   // 20,000 of 400,000 texts: pools hardly change
        int[] client = TextDeal.ByTopic(topicOf, 4, [.. Enumerable.Repeat(2, clients)], alpha, seed: 3);
        var topics = new List<int>[clients];
        for (int text = 0; text < client.Length; text++)
        {
            if (client[text] >= 0)
                (topics[client[text]] ??= []).Add(topicOf[text]);
        }

        double expected = (1 + (alpha * p.Sum(x => x * x))) / (1 + alpha);
        Assert.InRange(topics.Count(t => t[0] == t[1]) / (double)clients, expected - 0.02, expected + 0.02);
        for (int t = 0; t < 4; t++)   // and the population's mixture stays
            Assert.InRange(topics.Count(own => own[0] == t) / (double)clients, p[t] - 0.02, p[t] + 0.02);
    }

    [Fact]
    public void Given_chance_When_dealt_Then_neighbours_in_the_file_are_not_together()
    {
        int[] client = TextDeal.ByChance(10_000, [.. Enumerable.Repeat(10, 1_000)], seed: 1);
        Assert.InRange(Enumerable.Range(0, 9_999).Count(i => client[i] == client[i + 1]), 0, 30);   // 9 expected
    }

    [Fact]
    public void Given_a_power_law_When_sizes_are_drawn_Then_their_shares_are_the_laws()
    {
        var settings = new PartitionSettings { Kind = PartitionKind.PowerLaw, Exponent = 1.5, MinTexts = 2, MaxTexts = 50, Clients = 20_000 };
        int[] sizes = ClientSizes.Draw(settings, long.MaxValue, "data");
        double total = Enumerable.Range(2, 49).Sum(n => Math.Pow(n, -1.5));
        Assert.Equal(20_000, sizes.Length);
        Assert.Equal((2, 50), (sizes.Min(), sizes.Max()));
        foreach (int n in new[] { 2, 3, 10, 40 })
        {
            double share = Math.Pow(n, -1.5) / total;
            Assert.InRange(sizes.Count(s => s == n) / 20_000.0, share - 0.012, share + 0.012);
        }
    }

    [Fact]
    public void Given_texts_that_do_not_divide_When_sizes_are_drawn_Then_the_rest_is_a_client_only_where_it_is_a_size()
    {
        Assert.Equal([4, 4], ClientSizes.Draw(new PartitionSettings { Kind = PartitionKind.Fixed, Texts = 4 }, 11, "data"));
        var power = new PartitionSettings { Kind = PartitionKind.PowerLaw, Exponent = 0, MinTexts = 3, MaxTexts = 3 };
        Assert.Equal([3, 3, 3], ClientSizes.Draw(power, 11, "data"));
        Assert.Equal([3, 3, 3], ClientSizes.Draw(power, 9, "data"));
        var e = Assert.Throws<DataFormatException>(() => ClientSizes.Draw(new PartitionSettings { Kind = PartitionKind.Fixed, Texts = 4, Clients = 3 }, 11, "data"));
        Assert.Equal("data: expected texts for 3 clients, found 11, which suffice for 2: lower --clients, or the texts a client", e.Message);
    }
}
