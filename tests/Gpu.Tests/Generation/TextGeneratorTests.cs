using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tests.Lora;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Generation;

[Collection(TorchCollection.Name)]
public sealed class TextGeneratorTests
{
    private const int End = 3;

    // A wide head and few tokens, so that texts differ and some end early.
    private static readonly LlamaConfig Tiny = new()
    {
        VocabularySize = 40,
        HiddenSize = 32,
        IntermediateSize = 48,
        Layers = 3,
        Heads = 4,
        KeyValueHeads = 2,
        MaxLength = 64,
    };

    [Theory]
    [InlineData(1, 1)]
    [InlineData(0.8, 0.9)]
    [InlineData(0, 1)]
    public void Given_prompts_When_sampled_with_caches_Then_as_token_by_token_without(double temperature, double topP)
    {
        using var model = Disturbed();
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 2 }, 1);
        LoraAdapterTests.Disturb(adapter);
        var settings = new SamplingSettings { Temperature = temperature, TopP = topP, MaxNewTokens = 12 };
        var prompts = Prompts(5);
        var completions = new TextGenerator(model, End).Generate(prompts, 4, settings, 11, 64, null, default);
        Assert.Equal(20, completions.Length);
        for (int i = 0; i < completions.Length; i++)
        {
            var plain = Plain(model, prompts[i / 4], i / 4, i % 4, settings, 11);
            Assert.Equal(plain, completions[i].Tokens);
            Assert.Equal(plain[^1] == End, completions[i].Ended);
            Assert.True(completions[i].Ended || completions[i].Tokens.Length == 12);
        }
        Assert.Contains(completions, c => c.Ended);
        Assert.Contains(completions, c => !c.Ended);
    }

    [Fact]
    public void Given_other_batch_sizes_When_sampled_Then_same_texts()
    {
        using var model = Disturbed();
        var generator = new TextGenerator(model, End);
        var settings = new SamplingSettings { TopP = 0.95, MaxNewTokens = 20 };
        var prompts = Prompts(13);
        var seven = generator.Generate(prompts, 5, settings, 1, 7, null, default);
        Assert.Equal(Tokens(seven), Tokens(generator.Generate(prompts, 5, settings, 1, 64, null, default)));
        Assert.Equal(Tokens(seven), Tokens(generator.Generate(prompts, 5, settings, 1, 3, null, default)));
        Assert.NotEqual(Tokens(seven), Tokens(generator.Generate(prompts, 5, settings, 2, 7, null, default)));
        Assert.True(Tokens(seven).Distinct().Count() > 40);
    }

    [Fact]
    public void Given_several_batches_When_sampled_Then_no_tensor_is_left_and_progress_adds_up()
    {
        using var model = Disturbed();
        var generator = new TextGenerator(model, End);
        var settings = new SamplingSettings { MaxNewTokens = 10 };
        generator.Generate(Prompts(3), 3, settings, 1, 4, null, default);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var told = new List<int>();
        var completions = generator.Generate(Prompts(9), 3, settings, 1, 4, new Told(told), default);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Equal(completions.Sum(c => c.Tokens.Length), told[^1]);
        Assert.Equal(told.Order(), told);
        Assert.True(is_grad_enabled());
    }

    [Fact]
    public void Given_cancellation_or_wrong_prompts_When_sampled_Then_it_stops_with_a_reason()
    {
        using var model = Disturbed();
        var generator = new TextGenerator(model, End);
        var settings = new SamplingSettings { MaxNewTokens = 10 };
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => generator.Generate(Prompts(2), 1, settings, 1, 4, null, cancelled.Token));
        string Message(params int[][] prompts) => Assert.Throws<ArgumentException>(() => generator.Generate(prompts, 1, settings, 1, 4, null, default)).Message;
        Assert.Contains("prompt 1 must have at least one token", Message([1], []));
        Assert.Contains("MaxLength - MaxNewTokens = 54", Message(new int[55]));
        Assert.Contains("in [0, 40)", Message([40]));
        Assert.Empty(generator.Generate([], 3, settings, 1, 4, null, default));
    }

    [Fact]
    public void Given_weights_that_are_no_numbers_When_sampled_Then_a_message()
    {
        using var model = Disturbed();
        using (no_grad())
            model.Layers[0].Mlp.Up.Weight.fill_(double.NaN);
        var failed = Assert.Throws<ArgumentException>(() => new TextGenerator(model, End).Generate(Prompts(2), 2, new SamplingSettings { MaxNewTokens = 5 }, 1, 4, null, default));
        Assert.Contains("logits are not finite", failed.Message);
    }

    private static LlamaModel Disturbed()
    {
        var model = new LlamaModel(Tiny, 5, CPU);
        Widen(model);
        return model;
    }

    // Fresh weights are so small that all tokens are nearly as likely; eight times as large, they are not.
    internal static void Widen(LlamaModel model)
    {
        using var noGrad = no_grad();
        foreach (var parameter in model.parameters())
        {
            if (parameter.dim() == 2)
                parameter.mul_(8);
        }
    }

    private static int[][] Prompts(int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(40)).ToArray())];
    }

    private static string[] Tokens(Completion[] completions) => [.. completions.Select(c => string.Join(" ", c.Tokens))];

    private static int[] Plain(LlamaModel model, int[] prompt, int promptIndex, int sample, SamplingSettings s, ulong seed)
    {
        using var noGrad = no_grad();
        var ids = prompt.Select(id => (long)id).ToList();
        for (int step = 0; step < s.MaxNewTokens && (step == 0 || ids[^1] != End); step++)
        {
            using var scope = NewDisposeScope();
            var logits = model.Forward(tensor(ids.ToArray()).unsqueeze(0))[0, -1];
            ids.Add(s.Temperature == 0
                ? logits.argmax().item<long>()
                : NucleusSampler.Draw(logits.div(s.Temperature).softmax(-1).data<float>().ToArray(), s.TopP, KeyedUniform.At(seed, promptIndex, sample, step)));
        }
        return [.. ids.Skip(prompt.Length).Select(id => (int)id)];
    }

    private sealed class Told(List<int> values) : IProgress<int>
    {
        public void Report(int value) => values.Add(value);
    }
}
