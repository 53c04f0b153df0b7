using System.Text.Json;
using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Import;

namespace Chorus.Simulation.Tests.Data.Import;

public sealed class PublishedFilesTests : IDisposable
{
    private static readonly string[] Twelve = [.. Enumerable.Range(0, 12).Select(i => $"text {i}")];

    private readonly TemporaryFolder _folder = new();

    public PublishedFilesTests()
    {
        _folder.Write("bioarxiv_train.json", """{"0": ["one", "two"], "1": ["three"]}""");
        _folder.Write("bioarxiv_eval.json", JsonSerializer.Serialize(new Dictionary<string, string[]> { ["1"] = Twelve }));
        _folder.Write("congressional_train.json", """{"0": ["four"]}""");
        _folder.Write("congressional_eval.json", JsonSerializer.Serialize(Twelve));
        _folder.Write("initial_set.json", JsonSerializer.Serialize(Twelve));
        _folder.Write("unrelated_train.json", "{}");
    }

    private string Output => Path.Combine(_folder.Path, "out");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_the_published_files_When_looked_for_Then_each_data_set_is_named() =>
        Assert.Equal(["bioarxiv", "congressional"], PublishedFiles.Names(_folder.Path));

    [Theory]
    [InlineData("bioarxiv", 2, 3)]
    [InlineData("congressional", 1, 1)]
    public void Given_a_published_data_set_When_imported_Then_it_opens_as_a_corpus_with_the_same_texts(string name, int clients, int texts)
    {
        Assert.Equal((clients, (long)texts, 12, 12), PublishedFiles.Import(_folder.Path, name, null, Output));
        using FederatedCorpus corpus = FederatedCorpus.Open(Output);
        Assert.Equal((clients, (long)texts), (corpus.Clients.Count, corpus.Clients.TextCount));
        Assert.Equal(Twelve, corpus.Eval.AsEnumerable());
        Assert.Equal(Twelve, corpus.Initial.AsEnumerable());
    }

    [Fact]
    public void Given_published_files_that_are_not_whole_When_imported_Then_says_which_and_leaves_nothing()
    {
        _folder.Write("bioarxiv_train.json", """{"0": ["one", "two"], "1": "three"}""");
        Assert.Contains("bioarxiv_train.json", Assert.Throws<DataFormatException>(() => PublishedFiles.Import(_folder.Path, "bioarxiv", null, Output)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(_folder.Path, "initial_set.json"));
        Assert.Contains("initial_set.json", Assert.Throws<DataFormatException>(() => PublishedFiles.Import(_folder.Path, "congressional", null, Output)).Message, StringComparison.Ordinal);
        PublishedFiles.Import(_folder.Path, "congressional", Twelve, Output);
        Assert.True(Directory.Exists(Output));
        Assert.Empty(Directory.GetDirectories(_folder.Path, "*.tmp"));
    }
}
