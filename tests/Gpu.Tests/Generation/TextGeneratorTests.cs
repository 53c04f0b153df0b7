using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tests.Cuda;
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
    [InlineData("llama", false, 1, 0, 1)]
    [InlineData("llama", false, 0.8, 0, 0.9)]
    [InlineData("llama", false, 1, 5, 0.9)]
    [InlineData("llama", false, 0, 0, 1)]
    [InlineData("gpt2", false, 1, 0, 1)]
    [InlineData("llama", true, 1, 0, 1)]
    [InlineData("llama", true, 0.8, 0, 0.9)]
    [InlineData("llama", true, 1, 5, 0.9)]
    [InlineData("llama", true, 0, 0, 1)]
    [InlineData("gpt2", true, 1, 0, 1)]
    [InlineData("gpt2", true, 0.7, 7, 1)]
    public void Given_prompts_When_sampled_with_caches_Then_as_token_by_token_without(string family, bool onDevice, double temperature, int topK, double topP)
    {
        using var model = Disturbed(family);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 2, TargetPattern = LoraSettings.AllLinear }, 1);
        LoraAdapterTests.Disturb(adapter);
        var settings = new SamplingSettings { Temperature = temperature, TopK = topK, TopP = topP, MaxNewTokens = 40 };
        var prompts = Prompts(5);
        var completions = Generator(model, onDevice).Generate(prompts, 4, settings, 11, 64, null, default);
        Assert.Equal(20, completions.Length);
        for (int i = 0; i < completions.Length; i++)
        {
            var plain = Plain(model, prompts[i / 4], i / 4, i % 4, settings, 11);
            Assert.Equal(plain, completions[i].Tokens);
            Assert.Equal(plain[^1] == End, completions[i].Ended);
            Assert.True(completions[i].Ended || completions[i].Tokens.Length == 40);
        }
        Assert.Contains(completions, c => c.Ended);
        Assert.True(temperature == 0 || completions.Select(c => c.Tokens.Length).Distinct().Count() > 1);
    }

    [GpuFact(8, gpus: 2)]
    public void Given_the_second_gpu_When_sampled_there_Then_as_on_the_first()
    {
        var settings = new SamplingSettings { Temperature = 1, MaxNewTokens = 40 };
        int[][][] texts = [.. new[] { 0, 1 }.Select(index =>
        {
            using var model = new LlamaModel(Tiny, 5, new Device(DeviceType.CUDA, index));
            Widen(model);
            return Generator(model, onDevice: true).Generate(Prompts(5), 4, settings, 11, 64, null, default).Select(c => c.Tokens.ToArray()).ToArray();
        })];
        Assert.Equal(texts[0], texts[1]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Given_other_batch_sizes_When_sampled_Then_same_texts(bool onDevice)
    {
        using var model = Disturbed();
        var generator = Generator(model, onDevice);
        var settings = new SamplingSettings { TopP = 0.95, MaxNewTokens = 20 };
        var prompts = Prompts(13);
        var seven = generator.Generate(prompts, 5, settings, 1, 7, null, default);
        Assert.Equal(Tokens(seven), Tokens(generator.Generate(prompts, 5, settings, 1, 64, null, default)));
        Assert.Equal(Tokens(seven), Tokens(generator.Generate(prompts, 5, settings, 1, 3, null, default)));
        Assert.NotEqual(Tokens(seven), Tokens(generator.Generate(prompts, 5, settings, 2, 7, null, default)));
        Assert.True(Tokens(seven).Distinct().Count() > 40);
    }

    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("gpt2", false)]
    [InlineData("gpt2", true)]
    public void Given_a_prompt_alone_When_sampled_Then_as_beside_others(string family, bool onDevice)
    {
        using var model = Disturbed(family);
        var settings = new SamplingSettings { MaxNewTokens = 20 };
        var prompts = Prompts(4);
        var together = Tokens(Generator(model, onDevice).Generate(prompts, 3, settings, 1, 64, null, default));
        Assert.Equal(together[..3], Tokens(Generator(model, onDevice).Generate(prompts[..1], 3, settings, 1, 64, null, default)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Given_several_batches_When_sampled_Then_no_tensor_is_left_and_progress_adds_up(bool onDevice)
    {
        using var model = Disturbed();
        var generator = Generator(model, onDevice);
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

    // What an allocator that fails says, on a GPU and on the CPU, at the batch's beginning and in its middle.
    [Theory]
    [InlineData(false, "CUDA out of memory. Tried to allocate 2.00 GiB.", false)]
    [InlineData(false, "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.", true)]
    [InlineData(true, "CUDA out of memory. Tried to allocate 2.00 GiB.", false)]
    [InlineData(true, "CUDA out of memory. Tried to allocate 2.00 GiB.", true)]
    public void Given_an_allocator_that_fails_When_sampled_Then_smaller_batches_give_the_same_texts(bool onDevice, string message, bool inTheMiddle)
    {
        using var model = Disturbed();
        var settings = new SamplingSettings { MaxNewTokens = 40 };
        var expected = Tokens(Generator(model, onDevice).Generate(Prompts(9), 3, settings, 1, 24, null, default));
        int last = 0, failures = 0;
        var tried = new List<int>();
        var generator = new TextGenerator(model, End)
        {
            DrawsOnDevice = onDevice,
            Allocating = rows =>
            {
                bool begins = rows != last || last == 0;
                last = rows;
                if (begins)
                    tried.Add(rows);
                if (rows > 7 && begins != inTheMiddle)
                {
                    failures++;
                    last = 0;
                    throw new System.Runtime.InteropServices.ExternalException(message);
                }
            },
        };
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(expected, Tokens(generator.Generate(Prompts(9), 3, settings, 1, 24, null, default)));
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.True(failures >= 2, $"{failures}");
        Assert.Equal(24, tried[0]);
        Assert.All(tried.Skip(failures * 2), rows => Assert.InRange(rows, 1, 12));

        // A row alone that does not fit is an error, and so is whatever is no lack of memory.
        var one = new TextGenerator(model, End) { DrawsOnDevice = onDevice, Allocating = _ => throw new System.Runtime.InteropServices.ExternalException(message) };
        Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => one.Generate(Prompts(2), 2, settings, 1, 4, null, default));
        int calls = 0;
        var other = new TextGenerator(model, End) { DrawsOnDevice = onDevice, Allocating = _ => { calls++; throw new System.Runtime.InteropServices.ExternalException("illegal memory access"); } };
        Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => other.Generate(Prompts(2), 2, settings, 1, 4, null, default));
        Assert.Equal(1, calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Given_stop_strings_and_end_tokens_When_sampled_Then_a_text_is_the_longer_ones_beginning(bool onDevice)
    {
        using var model = Disturbed();
        // Token i is the i-th letter; the last four are the bytes of a letter that needs two, so that stop strings meet cut characters.
        string Text(IReadOnlyList<int> tokens) => string.Concat(tokens.Select(t => t < 26 ? ((char)('a' + t)).ToString() : t % 2 == 0 ? "-" : "\u00e9"));
        var settings = new SamplingSettings { MaxNewTokens = 40 };
        var free = new TextGenerator(model, []) { DrawsOnDevice = onDevice }.Generate(Prompts(6), 5, settings, 1, 16, null, default);
        Assert.All(free, c => Assert.Equal((40, false), (c.Tokens.Length, c.Ended)));
        var stopping = new TextGenerator(model, [End, 7], tokens => Text(tokens)) { DrawsOnDevice = onDevice };
        string[] stops = ["-\u00e9", "a", "\u00e9-"];
        var stopped = stopping.Generate(Prompts(6), 5, settings with { StopStrings = [.. stops] }, 1, 16, null, default);
        for (int i = 0; i < free.Length; i++)
        {
            // The plain definition: the first token that is an end or whose text completes a stop string is the last.
            int length = Enumerable.Range(1, 40).FirstOrDefault(
                n => free[i].Tokens[n - 1] is End or 7 || stops.Any(s => Text(free[i].Tokens[..n]).Contains(s, StringComparison.Ordinal)), 40);
            Assert.Equal(free[i].Tokens.Take(length), stopped[i].Tokens);
            var text = Text(stopped[i].Tokens);
            Assert.Equal(stopped[i].Tokens[^1] is End or 7, stopped[i].Ended);
            Assert.Equal(!stopped[i].Ended && stops.Any(text.Contains), stopped[i].StoppedBy is not null);
            Assert.DoesNotContain(stops, stopped[i].Cut(text).Contains);
        }
        Assert.Contains(stopped, c => c.StoppedBy is not null);
        Assert.Contains(stopped, c => c.Ended);
        Assert.Contains("need a decoder", Assert.Throws<ArgumentException>(() => new TextGenerator(model, End).Generate(Prompts(1), 1, settings with { StopStrings = ["x"] }, 1, 1, null, default)).Message);
    }

    // The rotary table grows under inference mode here, whose tensors autograd would refuse.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Given_a_long_prompt_When_sampled_Then_the_model_can_be_trained_on_such_texts_after(bool onDevice)
    {
        using var scope = NewDisposeScope();
        using var model = new LlamaModel(Tiny with { Layers = 1, MaxLength = 1200 }, 5, CPU);
        int[] prompt = [.. Enumerable.Range(0, 600).Select(i => i % 40)];
        Generator(model, onDevice).Generate([prompt], 2, new SamplingSettings { MaxNewTokens = 20 }, 1, 4, null, default);
        model.Forward(arange(700, ScalarType.Int64).remainder(40).unsqueeze(0)).sum().backward();
        Assert.All(model.parameters(), p => Assert.NotNull(p.grad));
    }

    [Fact]
    public void Given_half_precision_weights_When_sampled_on_the_device_Then_texts_come()
    {
        using var model = new LlamaModel(Tiny, new DeviceWeights(CPU, ScalarType.BFloat16));
        var completions = Generator(model, true).Generate(Prompts(4), 3, new SamplingSettings { TopP = 0.9, MaxNewTokens = 20 }, 1, 64, null, default);
        Assert.True(Tokens(completions).Distinct().Count() > 8);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Given_weights_that_are_no_numbers_When_sampled_Then_a_message(bool onDevice)
    {
        using var model = Disturbed();
        using (no_grad())
            model.Layers[0].Mlp.Up.Weight.fill_(double.NaN);
        var failed = Assert.Throws<ArgumentException>(() => Generator(model, onDevice).Generate(Prompts(2), 2, new SamplingSettings { MaxNewTokens = 5 }, 1, 4, null, default));
        Assert.Contains("logits are not finite", failed.Message);
        failed = Assert.Throws<ArgumentException>(() => Generator(model, onDevice).Generate(Prompts(2), 2, new SamplingSettings { MaxNewTokens = 5, TopK = 3, TopP = 0.5 }, 1, 4, null, default));
        Assert.Contains("logits are not finite", failed.Message);
    }

    private static TextGenerator Generator(CausalModel model, bool onDevice) => new(model, End) { DrawsOnDevice = onDevice };

    private static LlamaModel Disturbed() => (LlamaModel)Disturbed("llama");

    private static CausalModel Disturbed(string family)
    {
        CausalModel model = family == "llama"
            ? new LlamaModel(Tiny, 5, CPU)
            : new Gpt2Model(new Gpt2Config { VocabularySize = 40, HiddenSize = 32, Layers = 3, Heads = 4, MaxLength = 64 }, 5, CPU);
        Widen(model);
        return model;
    }

    // Fresh weights are so small that all tokens are nearly as likely; eight times as large, they are not.
    internal static void Widen(CausalModel model)
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

    private static int[] Plain(CausalModel model, int[] prompt, int promptIndex, int sample, SamplingSettings s, ulong seed)
    {
        using var noGrad = no_grad();
        var ids = prompt.Select(id => (long)id).ToList();
        for (int step = 0; step < s.MaxNewTokens && (step == 0 || ids[^1] != End); step++)
        {
            using var scope = NewDisposeScope();
            var logits = model.Forward(tensor(ids.ToArray()).unsqueeze(0))[0, -1];
            ids.Add(s.Temperature == 0
                ? logits.argmax().item<long>()
                : NucleusSampler.Draw(logits.div(s.Temperature).softmax(-1).data<float>().ToArray(), s.TopK, s.TopP, KeyedUniform.At(seed, promptIndex, sample, step)));
        }
        return [.. ids.Skip(prompt.Length).Select(id => (int)id)];
    }

    private sealed class Told(List<int> values) : IProgress<int>
    {
        public void Report(int value) => values.Add(value);
    }
}
