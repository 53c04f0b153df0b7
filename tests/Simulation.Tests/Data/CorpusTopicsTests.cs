using System.Collections.Immutable;
using System.Text.Json;
using Chorus.Simulation.Data;

namespace Chorus.Simulation.Tests.Data;

public sealed class CorpusTopicsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CorpusTopicsTests() => _folder.WriteCorpus();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_no_topic_files_When_read_Then_there_are_none()
    {
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        Assert.Null(CorpusTopics.ReadEval(corpus));
        Assert.Null(CorpusTopics.ReadInitial(corpus));
        Assert.Null(CorpusTopics.OpenClients(corpus));
    }

    [Fact]
    public void Given_topic_files_When_read_Then_a_label_a_text_and_the_corpus_hash_is_the_same()
    {
        string[] labels = [.. Enumerable.Range(0, 10).Select(i => $"t{i % 3}")];
        using FederatedCorpus before = FederatedCorpus.Open(_folder.Path);
        _folder.Write(CorpusTopics.EvalFile, JsonSerializer.Serialize(labels));
        _folder.Write(CorpusTopics.ClientsFile, """{"a": ["x"], "b": ["y"]}""");
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        Assert.Equal(before.Sha256, corpus.Sha256);
        Assert.Equal(labels.AsEnumerable(), Assert.IsType<ImmutableArray<string>>(CorpusTopics.ReadEval(corpus)));
        using ClientFile clients = CorpusTopics.OpenClients(corpus)!;
        Assert.Equal("y", clients.ReadTexts(1)[0]);
    }

    [Theory]
    [InlineData("eval_topics.json", "[\"x\"]", "expected 10 topics, one for each text of eval.json, found 1")]
    [InlineData("initial_topics.json", "[]", "expected 10 topics, one for each text of initial_set.json, found 0")]
    [InlineData("train_topics.json", """{"a": ["x"]}""", "expected the 2 clients of train_clients.json, found 1")]
    [InlineData("train_topics.json", """{"b": ["x"], "a": ["x"]}""", "expected client \"a\" at place 1, as in train_clients.json, found \"b\"")]
    [InlineData("train_topics.json", """{"a": ["x"], "b": ["x", "y"]}""", "expected 1 topics of client \"b\", one for each text, found 2")]
    public void Given_topics_that_do_not_fit_the_texts_When_read_Then_says_what_was_expected(string file, string content, string says)
    {
        _folder.Write(file, content);
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        var e = Assert.Throws<DataFormatException>(() =>
        {
            CorpusTopics.ReadEval(corpus);
            CorpusTopics.ReadInitial(corpus);
            CorpusTopics.OpenClients(corpus);
        });
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.StartsWith(Path.Combine(_folder.Path, file), e.Message, StringComparison.Ordinal);
    }
}
