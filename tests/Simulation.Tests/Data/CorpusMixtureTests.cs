using Chorus.Simulation.Data;
using Chorus.Simulation.Report;

namespace Chorus.Simulation.Tests.Data;

public sealed class CorpusMixtureTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_a_small_corpus_with_labels_When_described_Then_the_figures_are_those_made_by_hand()
    {
        _folder.WriteCorpus("""{"a": ["1", "2", "3", "4"], "b": ["5"], "c": [], "d": ["6", "7", "8", "9", "10"]}""");
        _folder.Write(CorpusTopics.ClientsFile, """{"a": ["x", "x", "x", "y"], "b": ["y"], "c": [], "d": ["z", "z", "z", "z", "z"]}""");
        _folder.Write(CorpusTopics.EvalFile, """["x", "x", "x", "x", "x", "y", "y", "y", "w", "w"]""");
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        CorpusMixture mixture = CorpusMixture.Of(corpus, 10);

        Assert.True(mixture.Labelled);
        Assert.Equal([new SizeBin(0, 0, 1), new SizeBin(1, 1, 1), new SizeBin(2, 2, 0), new SizeBin(3, 4, 1), new SizeBin(5, 8, 1)], mixture.Sizes.AsEnumerable());
        Assert.Equal(
            [new TopicShare("z", 0.5, 0, null), new TopicShare("x", 0.3, 0.5, null), new TopicShare("y", 0.2, 0.3, null), new TopicShare("w", 0, 0.2, null)], mixture.Topics.AsEnumerable());
        Assert.Equal(0.75, mixture.SameTopic!.Value, 1e-12);             // a: 3 of 6 pairs; d: all; b has none
        Assert.Equal(0.38, mixture.SameTopicIfAlike, 1e-12);             // .25 + .09 + .04
        Assert.Equal(0.25 / 0.37, mixture.Alpha!.Value, 1e-12);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 1, 0, 1], mixture.MainTopic.AsEnumerable());   // a 75%, d 100%
        Assert.Equal(2, mixture.MainTopicIfAlike.Sum());
        Assert.Equal(["z", "others"], CorpusMixture.Of(corpus, 2).Topics.Select(t => t.Topic));
        Assert.Equal(0.5, CorpusMixture.Of(corpus, 2).Topics[1].Private, 1e-12);
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(2)]
    public void Given_a_corpus_of_known_concentration_When_described_Then_about_that_is_found(double alpha)
    {
        CorpusSynthesizer.Write(new SynthesisSettings { Clients = 1_500, InitialTexts = 10, EvalClients = 10, Alpha = alpha }, Path.Combine(_folder.Path, "c"));
        using FederatedCorpus corpus = FederatedCorpus.Open(Path.Combine(_folder.Path, "c"));
        Assert.InRange(CorpusMixture.Of(corpus, 16).Alpha!.Value / alpha, 0.85, 1.15);
    }

    [Fact]
    public void Given_no_labels_When_described_Then_clusters_of_the_public_texts_and_all_three_shares()
    {
        string[] words = ["corn barley", "harbour sailor"];
        string Texts(int n) => "[" + string.Join(",", Enumerable.Range(0, n).Select(i => $"\"the {words[i % 2]} of day {i % 7}\"")) + "]";
        _folder.Write(FederatedCorpus.ClientsFile, $$"""{"a": {{Texts(6)}}, "b": {{Texts(6)}}}""");
        _folder.Write(FederatedCorpus.EvalFile, Texts(12));
        _folder.Write(FederatedCorpus.InitialFile, Texts(40));
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        CorpusMixture mixture = CorpusMixture.Of(corpus, 2);
        Assert.False(mixture.Labelled);
        Assert.All(mixture.Topics, t => Assert.Equal((0.5, 0.5, 0.5), (t.Private, t.HeldOut!.Value, t.Public!.Value)));
        Assert.Equal(double.PositiveInfinity, mixture.Alpha);   // half and half in both clients: no more alike than strangers
    }

    [Fact]
    public void Given_clients_with_one_text_When_described_Then_nothing_is_said_of_how_they_differ_and_the_page_has_no_holes()
    {
        _folder.WriteCorpus("""{"a": ["1"], "<b>": ["2"], "c": []}""");
        _folder.Write(CorpusTopics.ClientsFile, """{"a": ["<script>"], "<b>": ["y"], "c": []}""");
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        CorpusMixture mixture = CorpusMixture.Of(corpus, 5);
        Assert.Null(mixture.SameTopic);
        Assert.Null(mixture.Alpha);

        string path = Path.Combine(_folder.Path, "page.html");
        CorpusReport.Write(corpus, CorpusDescription.Of(corpus), mixture, path);
        string page = File.ReadAllText(path);
        Assert.Contains("3 clients with 2 private texts", page, StringComparison.Ordinal);
        Assert.Contains("No client has 4 texts.", page, StringComparison.Ordinal);
        Assert.Contains("Not private", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("NaN|Infinity|(src|href)=", page);
        Assert.Equal(page, CorpusReport.Render(corpus.Name, corpus.Sha256, CorpusDescription.Of(corpus), mixture));
    }
}
