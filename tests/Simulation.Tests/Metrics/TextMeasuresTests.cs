using System.Text.Json;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using Chorus.Simulation.Tests.Data;

namespace Chorus.Simulation.Tests.Metrics;

public sealed class TextMeasuresTests : IDisposable
{
    private const string Secret = "the quick brown fox jumps over the lazy dog at noon";

    private readonly TemporaryFolder _folder = new();

    public TextMeasuresTests()
    {
        _folder.WriteCorpus($$"""{"a": ["{{Secret}}"], "b": ["nobody reads this one", "nor that"]}""");
        _folder.Write(FederatedCorpus.EvalFile, JsonSerializer.Serialize(Enumerable.Range(0, 24).Select(i => $"held out text number {i} of many")));
        _folder.Write(FederatedCorpus.InitialFile, JsonSerializer.Serialize(Enumerable.Range(0, 12).Select(i => $"we were all told to say so at length {i}")));
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0, null, null)]
    [InlineData(1, 0.25, 8)]     // client a
    [InlineData(2, 0.5, 8)]      // and b
    public void Given_synthetic_texts_that_copy_When_measured_Then_public_copies_always_and_private_ones_only_of_the_clients_asked_for(
        int clients, double? privateShare, int? longest)
    {
        string[] synthetic = ["He saw: the quick brown fox jumps over the wall", "we were all told to say so", "nobody reads this one today", "quite new"];
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        TextMeasures measures = TextMeasures.Of(synthetic, corpus, HashedNgramEncoder.Fit(corpus.Initial, 16), copiedWords: 4, clients);

        Assert.Null(measures.Mauve);   // four texts
        Assert.Equal(4, measures.Synthetic.Compared);
        Assert.Equal(new CopyShare(0.25, 0, 7), measures.Synthetic.PublicCopies);
        Assert.Equal(privateShare, measures.Synthetic.PrivateCopies?.Share);
        Assert.Equal(longest - 1, measures.Synthetic.PrivateCopies?.LongestRun);
        Assert.Equal(0, measures.HeldOut.PublicCopies.Share);
        Assert.Equal(clients == 0, measures.HeldOut.PrivateCopies is null);
        Assert.Equal(DistinctNgrams.Share(synthetic, 2), measures.Synthetic.Distinct2);
    }

    [Fact]
    public void Given_the_held_out_texts_themselves_When_measured_Then_alike_in_everything()
    {
        using FederatedCorpus corpus = FederatedCorpus.Open(_folder.Path);
        TextMeasures measures = TextMeasures.Of(corpus.Eval, corpus, HashedNgramEncoder.Fit(corpus.Initial, 16), copiedWords: 4, 2);
        Assert.Equal(1, measures.Mauve!.Value, 1e-12);
        Assert.Equal(measures.HeldOut, measures.Synthetic);
    }
}
