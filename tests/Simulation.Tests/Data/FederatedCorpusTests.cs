using System.Security.Cryptography;
using System.Text;
using Chorus.Simulation.Data;

namespace Chorus.Simulation.Tests.Data;

public sealed class FederatedCorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_three_good_files_When_opened_Then_all_is_there_and_the_hash_is_over_the_files_hashes()
    {
        _folder.WriteCorpus();
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path + Path.DirectorySeparatorChar);

        Assert.Equal(Path.GetFileName(_folder.Path), corpus.Name);
        Assert.Equal(2, corpus.Clients.Count);
        Assert.Equal("text 9", corpus.Eval[9]);
        Assert.Equal(10, corpus.Initial.Length);
        string lines = string.Concat(new[] { "train_clients.json", "eval.json", "initial_set.json" }.Select(f =>
            $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(_folder.Path, f))))}  {f}\n"));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines))), corpus.Sha256);
    }

    [Fact]
    public void Given_a_missing_file_When_opened_Then_it_and_the_three_are_named()
    {
        _folder.WriteCorpus();
        File.Delete(Path.Combine(_folder.Path, "eval.json"));
        var e = Assert.Throws<DataFormatException>(() => FederatedCorpus.Open(_folder.Path));
        Assert.Equal($"{_folder.Path}: expected a data folder with train_clients.json, eval.json and initial_set.json, found no eval.json", e.Message);
    }

    [Fact]
    public void Given_no_such_folder_When_opened_Then_says_so()
    {
        var e = Assert.Throws<DataFormatException>(() => FederatedCorpus.Open(Path.Combine(_folder.Path, "nowhere")));
        Assert.EndsWith("found no such folder", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("eval.json", "[\"a\",\n\"b\"]", 2, "at least 10 texts, found 2")]
    [InlineData("initial_set.json", "{\"a\": []}", 1, "a list [\"text\", ...], found an object")]
    [InlineData("initial_set.json", "[\"a\",\n[]]", 2, "only strings in the list of texts, found a list")]
    public void Given_a_bad_list_When_opened_Then_says_file_and_line(string name, string content, long line, string says)
    {
        _folder.WriteCorpus();
        string path = _folder.Write(name, content);
        var e = Assert.Throws<DataFormatException>(() => FederatedCorpus.Open(_folder.Path));
        Assert.Equal($"{path}:{line}: expected {says}", e.Message);
    }

    [Fact]
    public void Given_a_corpus_When_described_Then_the_counts_are_those_made_by_hand()
    {
        _folder.WriteCorpus("""{"a": ["The cat's hat.", "the 'cat'"], "b": [], "c": ["A well-known  cat"]}""");
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        CorpusDescription d = CorpusDescription.Of(corpus);

        Assert.Equal((3, 1, 3L, 10, 10), (d.Clients, d.EmptyClients, d.Texts, d.EvalTexts, d.InitialTexts));
        Assert.Equal(new Spread(0, 1, 2, 2), d.ClientSizes);
        Assert.Equal(new Spread(2, 3, 3, 3), d.TextWords);
        Assert.Equal(8, d.Words);
        Assert.Equal(6, d.DistinctWords);   // the, cat's, hat, cat, a, well-known
        Assert.Equal([new("cat", 2), new("the", 2), new("a", 1)], d.TopWords.Take(3));
    }

    [SharedFact("data/congress")]
    public void Given_the_shared_congress_data_When_opened_Then_counts_are_those_of_its_readme()
    {
        using FederatedCorpus corpus = FederatedCorpus.Open(SharedFolder.Find("data/congress")!);
        CorpusDescription d = CorpusDescription.Of(corpus);
        Assert.Equal((302, 4_254L, 479, 2_000), (d.Clients, d.Texts, d.EvalTexts, d.InitialTexts));
        Assert.Equal((2, 8, 64), (d.ClientSizes.Minimum, d.ClientSizes.Median, d.ClientSizes.Maximum));
        Assert.InRange(d.TextWords.Minimum, 20, 120);
        Assert.InRange(d.TextWords.Maximum, 20, 120);
    }
}
