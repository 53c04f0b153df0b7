using Chorus.Actors.Evaluation;
using Chorus.Actors.Tests.Support;
using Chorus.Gpu.Runtime;
using Chorus.Gpu.Tokenizers;
using Chorus.Simulation.Metrics;

namespace Chorus.Actors.Tests.Evaluation;

public sealed class TorchDownstreamTests
{
    // Encoding a text's tokens once more would make other tokens of it; an end token behind a cut would be right in every arm.
    [Fact]
    public async Task Given_texts_shorter_and_longer_than_the_cut_When_measured_Then_each_token_of_one_encoding_is_counted_and_an_end_only_where_a_text_ends()
    {
        const int cut = 12;
        using var run = new TinyRunFolder(
            $$"""
            chorus.policy { device = cpu, text-tokens = {{cut}}, model.vocabulary = 300 }
            chorus.evaluation { floor-epochs = 1, epochs = 1, model { hidden = 16, intermediate = 32, layers = 1, heads = 2, key-value-heads = 1 } }
            """);
        var publicTexts = run.Context.Corpus.Initial;
        var tokenizer = ByteLevelBpeTokenizer.Train(publicTexts, 300);
        string[] texts = ["We speak", "today", .. run.Context.Corpus.Eval];
        var lengths = texts.Select(t => tokenizer.Encode(t).Length).ToArray();
        Assert.Contains(lengths, l => l + 1 < cut);
        Assert.Contains(lengths, l => l > cut);
        var expected = lengths.Sum(l => Math.Min(l + 1, cut) - 1); // the end counts where it fits; the first token is given

        await using var device = new DeviceThread("test", 1);
        await device.Run(() =>
        {
            using var downstream = TorchDownstream.Create(run.Context.Settings, publicTexts, CancellationToken.None);
            var topics = new HeldOutTopics(["short", "long"], [.. texts.Select((_, i) => i < 2 ? 0 : 1)]);
            var floor = downstream.Floor(publicTexts, new HeldOutTexts([.. texts], topics), (_, _, _) => { }, CancellationToken.None);
            Assert.Equal(expected, floor.TestTokens);
            Assert.Equal(["short", "long"], floor.Topics.Select(t => t.Topic));
            Assert.Equal(lengths.Take(2).Sum(l => Math.Min(l + 1, cut) - 1), floor.Topics[0].Tokens);
            Assert.Equal(floor.TestAccuracy, floor.Topics.Sum(t => t.Accuracy * t.Tokens) / floor.TestTokens, 1e-12);
        });
    }
}
