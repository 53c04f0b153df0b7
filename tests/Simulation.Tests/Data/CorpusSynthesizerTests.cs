using System.Collections.Immutable;
using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Synthesis;

namespace Chorus.Simulation.Tests.Data;

public sealed class CorpusSynthesizerTests : IDisposable
{
    private static readonly SynthesisSettings Small = new() { Clients = 30, InitialTexts = 50, EvalClients = 10 };
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<CorpusFlavour> Flavours => [CorpusFlavour.Congress, CorpusFlavour.Biorxiv];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Flavours))]
    public void Given_settings_When_written_Then_the_folder_opens_as_a_corpus_of_that_size(CorpusFlavour flavour)
    {
        string directory = Path.Combine(_folder.Path, "new", "corpus");
        var told = new List<int>();
        CorpusSynthesizer.Write(Small with { Flavour = flavour }, directory, new Told(told.Add));

        using FederatedCorpus corpus = FederatedCorpus.Open(directory);
        Assert.Equal((30, 50), (corpus.Clients.Count, corpus.Initial.Length));
        Assert.Equal(CorpusSynthesizer.ClientTexts(Small with { Flavour = flavour }, 7), corpus.Clients.ReadTexts(7));
        Assert.InRange(corpus.Eval.Length, 10, 640);
        Assert.Equal([30], told);
        ImmutableArray<string> names = Author.GrammarOf(flavour).TopicNames;
        Assert.Equal(Mixtures.Topics, names.Distinct().Count());
        Assert.All([.. CorpusTopics.ReadEval(corpus)!.Value, .. CorpusTopics.ReadInitial(corpus)!.Value], topic => Assert.Contains(topic, names));
        using ClientFile topics = CorpusTopics.OpenClients(corpus)!;
        Assert.Equal(CorpusSynthesizer.Client(Small with { Flavour = flavour }, 7).Texts().Select(t => names[t.Topic]), topics.ReadTexts(7));
        Assert.Equal(["corpus"], Directory.EnumerateFileSystemEntries(Path.Combine(_folder.Path, "new")).Select(Path.GetFileName));
    }

    [Theory, MemberData(nameof(Flavours))]
    public void Given_one_seed_When_written_twice_Then_the_bytes_are_the_same_and_another_seed_gives_others(CorpusFlavour flavour)
    {
        string[] hashes = [.. new ulong[] { 5, 5, 6 }.Select((seed, i) =>
        {
            string directory = Path.Combine(_folder.Path, $"{i}");
            CorpusSynthesizer.Write(Small with { Flavour = flavour, Seed = seed }, directory);
            using FederatedCorpus corpus = FederatedCorpus.Open(directory);
            return corpus.Sha256;
        })];
        Assert.Equal(hashes[0], hashes[1]);
        Assert.NotEqual(hashes[0], hashes[2]);
    }

    /// <summary>Pins the bytes over machines and releases: whoever changes a text raises the generator's version and these hashes.</summary>
    [Theory]
    [InlineData(CorpusFlavour.Congress, "62c8be05ec93b14746a02a2eb7501b52e1960e76ecbdaf5f2640534f8186c816")]
    [InlineData(CorpusFlavour.Biorxiv, "ef528e835ee935a3f91dcfa4f47762b9e27f3364eea7430c507947385b51ec81")]
    public void Given_generator_version_4_When_the_small_corpus_is_written_Then_its_hash_is_the_recorded_one(CorpusFlavour flavour, string expected)
    {
        CorpusSynthesizer.Write(Small with { Flavour = flavour }, Path.Combine(_folder.Path, "c"));
        using FederatedCorpus corpus = FederatedCorpus.Open(Path.Combine(_folder.Path, "c"));
        Assert.Equal(4, CorpusSynthesizer.GeneratorVersion);
        Assert.True(expected == corpus.Sha256, $"the small corpus has hash {corpus.Sha256}");
    }

    [Fact]
    public void Given_more_clients_When_written_Then_the_first_ones_are_unchanged()
    {
        SynthesisSettings more = Small with { Clients = 5_000, EvalClients = 20, InitialTexts = 99 };
        for (int client = 0; client < 5; client++)
            Assert.Equal(CorpusSynthesizer.ClientTexts(Small, client), CorpusSynthesizer.ClientTexts(more, client));
    }

    [Theory, MemberData(nameof(Flavours))]
    public void Given_many_texts_When_looked_at_Then_they_are_well_formed_and_short(CorpusFlavour flavour)
    {
        SynthesisSettings s = Small with { Flavour = flavour, InitialTexts = 3_000 };
        foreach (string text in CorpusSynthesizer.InitialSet(s).Concat(Enumerable.Range(0, 200).SelectMany(c => CorpusSynthesizer.ClientTexts(s, c))))
        {
            Assert.True(text.Length is >= 60 and <= 190, text);
            Assert.True(text.All(c => c is >= ' ' and < '\x7f' and not '{' and not '}' and not '|'), text);
            Assert.True(char.IsUpper(text[0]) && text[^1] is '.' or '?', text);
            Assert.DoesNotContain("  ", text, StringComparison.Ordinal);
            Assert.InRange(text.Split(' ').Length, 10, 45);
        }
    }

    /// <summary>Two texts of a client share their topic with probability (1 + alpha * sum p^2) / (1 + alpha), p the population's mixture.</summary>
    [Theory]
    [InlineData(0.2)]
    [InlineData(1.0)]
    [InlineData(20.0)]
    public void Given_alpha_When_clients_are_drawn_Then_their_topics_agree_as_often_as_Dirichlet_mixtures_do(double alpha)
    {
        SynthesisSettings s = Small with { Alpha = alpha };
        int agree = 0, pairs = 0;
        long[] topics = new long[Mixtures.Topics];
        for (int client = 0; client < 6_000; client++)
        {
            (int Topic, int Style, string Text)[] first = [.. CorpusSynthesizer.Client(s, client).Texts().Take(2)];
            topics[first[0].Topic]++;
            if (first.Length < 2) continue;
            if (first[0].Topic == first[1].Topic) agree++;
            pairs++;
        }
        double squares = Mixtures.PrivateTopics.Sum(p => p / 100.0 * p / 100.0);
        // Four standard errors of a share over some 5,900 pairs, at most 0.026.
        Assert.InRange(agree / (double)pairs - (1 + alpha * squares) / (1 + alpha), -0.026, 0.026);
        for (int t = 0; t < Mixtures.Topics; t++) Assert.InRange(topics[t] / 6_000.0 - Mixtures.PrivateTopics[t] / 100.0, -0.02, 0.02);
    }

    [Fact]
    public void Given_many_clients_When_sizes_are_counted_Then_they_are_long_tailed_with_median_eight()
    {
        int[] sizes = [.. Enumerable.Range(0, 3_000).Select(c => CorpusSynthesizer.Client(Small, c).Texts().Count()).Order()];
        Assert.Equal((1, 64), (sizes[0], sizes[^1]));
        Assert.InRange(sizes[1_500], 7, 9);
        Assert.InRange(sizes[2_850], 24, 38);   // the law's 95th percentile is 31
    }

    [Fact]
    public void Given_the_mixtures_When_added_Then_each_is_a_hundred_percent_and_the_clients_share_of_the_public_set_is_small()
    {
        foreach (IReadOnlyList<int> mixture in new IReadOnlyList<int>[] { Mixtures.PrivateTopics, Mixtures.PublicTopics, Mixtures.PrivateStyles, Mixtures.PublicStyles })
        {
            Assert.Equal(100, mixture.Sum());
            Assert.All(mixture, weight => Assert.True(weight > 0));
        }
        Assert.InRange(Mixtures.PublicTopics.Take(Mixtures.Topics / 2).Sum(), 25, 35);
        Assert.InRange(Mixtures.PublicStyles.Take(Mixtures.Styles / 2).Sum(), 25, 35);
        Assert.InRange(Mixtures.PrivateTopics.Take(Mixtures.Topics / 2).Sum(), 80, 90);
    }

    /// <summary>What the corpus is for: texts in the clients' mixture are worth points of next-word accuracy on held-out clients.</summary>
    [Theory, MemberData(nameof(Flavours))]
    public void Given_public_texts_When_texts_in_the_private_mixture_are_added_Then_a_trigram_model_gains_four_points(CorpusFlavour flavour)
    {
        SynthesisSettings s = Small with { Flavour = flavour, InitialTexts = 3_000, EvalClients = 30 };
        string[] eval = [.. CorpusSynthesizer.EvalSet(s)];
        double Accuracy(IEnumerable<string> added)
        {
            var model = new InterpolatedNgrams(3);
            model.Add(CorpusSynthesizer.InitialSet(s));
            model.Add(added);
            return model.Top1(eval);
        }
        double floor = Accuracy([]);
        double ceiling = Accuracy(Enumerable.Range(0, 400).SelectMany(c => CorpusSynthesizer.ClientTexts(s, c)).Take(4_000));
        double resampled = Accuracy(CorpusSynthesizer.PublicTexts(s, 77, 4_000, Mixtures.PrivateTopics, Mixtures.PrivateStyles).Select(t => t.Text));
        Assert.True(ceiling - floor >= 0.04, $"floor {floor:F4}, ceiling {ceiling:F4}");
        Assert.True(resampled - floor >= 0.7 * (ceiling - floor), $"floor {floor:F4}, resampled {resampled:F4}, ceiling {ceiling:F4}");
        Assert.InRange(floor, 0.3, 0.8);   // neither noise nor trivially perfect
    }

    [Fact]
    public void Given_a_complete_folder_When_written_again_Then_it_is_left_as_it_is()
    {
        _folder.WriteCorpus();
        string before = File.ReadAllText(Path.Combine(_folder.Path, FederatedCorpus.ClientsFile));
        CorpusSynthesizer.Write(Small, _folder.Path);
        Assert.Equal(before, File.ReadAllText(Path.Combine(_folder.Path, FederatedCorpus.ClientsFile)));
    }

    [Fact]
    public void Given_a_folder_of_other_things_When_written_Then_it_is_refused()
    {
        _folder.Write("thesis.tex", "years of work");
        Assert.Contains("a folder with other things in it", Assert.Throws<DataFormatException>(() => CorpusSynthesizer.Write(Small, _folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_cancelled_write_When_it_ends_Then_nothing_is_left_behind()
    {
        using var cancel = new CancellationTokenSource();
        var told = new Told(_ => cancel.Cancel());
        Assert.Throws<OperationCanceledException>(() => CorpusSynthesizer.Write(Small with { Clients = 3_000 }, Path.Combine(_folder.Path, "c"), told, cancel.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task Given_two_writers_at_once_When_both_end_Then_one_complete_folder_is_there()
    {
        string directory = Path.Combine(_folder.Path, "c");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => CorpusSynthesizer.Write(Small, directory))));
        using FederatedCorpus corpus = FederatedCorpus.Open(directory);
        Assert.Equal(30, corpus.Clients.Count);
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Given_settings_When_keyed_Then_the_key_is_a_plain_folder_name_that_tells_them_apart()
    {
        Assert.Equal("congress-c2000-s1-a1-i6000-e150-g4", CorpusSynthesizer.CacheKey(new SynthesisSettings()));
        Assert.Equal("biorxiv-c2000-s18446744073709551615-a0.25-i6000-e150-g4",
            CorpusSynthesizer.CacheKey(new SynthesisSettings { Flavour = CorpusFlavour.Biorxiv, Seed = ulong.MaxValue, Alpha = 0.25 }));
    }

    [Fact]
    public void Given_settings_out_of_range_When_made_Then_name_range_and_value_are_said()
    {
        Assert.StartsWith("Clients must be in [1, 10000000], got 0", Assert.Throws<ArgumentOutOfRangeException>(() => Small with { Clients = 0 }).Message, StringComparison.Ordinal);
        Assert.StartsWith("Alpha must be in (0, 1e9], got NaN", Assert.Throws<ArgumentOutOfRangeException>(() => Small with { Alpha = double.NaN }).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Small with { InitialTexts = 9 });
        Assert.Throws<ArgumentOutOfRangeException>(() => Small with { EvalClients = 9 });
        Assert.Throws<ArgumentOutOfRangeException>(() => Small with { Flavour = (CorpusFlavour)2 });
    }

    private sealed class Told(Action<int> tell) : IProgress<int>
    {
        public void Report(int value) => tell(value);
    }
}
