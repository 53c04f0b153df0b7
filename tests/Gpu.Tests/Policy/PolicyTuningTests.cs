using Chorus.Gpu.Dpo;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Policy;
using Chorus.Gpu.Training;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Policy;

/// <summary>A policy that is tuned on several devices is the one that a single device makes.</summary>
[Collection(TorchCollection.Name)]
public sealed class PolicyTuningTests
{
    private static readonly PolicySettings Small = new()
    {
        VocabularySize = 290,
        HiddenSize = 16,
        IntermediateSize = 24,
        Layers = 1,
        Heads = 2,
        KeyValueHeads = 1,
        MaxLength = 48,
        Pretraining = new LanguageModelTrainingSettings { BatchSize = 4, SequenceLength = 48, Steps = 10, LearningRate = 1e-2 },
        Lora = new LoraSettings { Rank = 2, Alpha = 4 },
        Sampling = new SamplingSettings { MaxNewTokens = 8 },
        Dpo = new DpoSettings { LearningRate = 1e-3, Epochs = 2, BatchSize = 3, WarmUpSteps = 2 },
        GenerationBatch = 16,
        PromptTokens = 30,
        MaxTextTokens = 12,
        Seed = 5,
    };

    [Fact]
    public void Given_more_devices_When_tuned_by_pairs_and_by_texts_Then_the_adapters_agree_and_one_devices_progress_is_told()
    {
        using var folder = new TemporaryFolder();
        string[] texts = [.. Enumerable.Range(0, 12).Select(i => $"The house votes on motion {i}.")];
        string[][] prompts = [[texts[0]], [texts[1]]];
        var adapters = new List<Dictionary<string, Tensor>>();
        var steps = new List<int>();
        foreach (int others in new[] { 0, 2 })
        {
            using var policy = PolicyModel.LoadOrPretrain(Small, texts, CPU, folder["cache"], null, default);
            policy.TuneOn([.. Enumerable.Repeat(CPU, others)]);
            var candidates = policy.Generate(prompts, 4, 1, null, default);
            var told = new Told();
            policy.Tune(prompts, candidates, 4, [(0, 0, 1), (0, 2, 3), (1, 4, 5), (1, 6, 7)], 1, told, default);
            policy.FineTune(candidates, 1e-3, 2, 1, told, default);
            steps.Add(told.Count);
            policy.SaveAdapter(folder[$"adapter-{others}"]);
            adapters.Add(Gpu.Checkpoints.SafeTensors.Read(Path.Combine(folder[$"adapter-{others}"], "adapter_model.safetensors"), CPU));
        }
        Assert.Equal(steps[0], steps[1]);
        foreach (var (name, one) in adapters[0])
        {
            using var scope = NewDisposeScope();
            Assert.True((one - adapters[1][name]).norm().item<float>() <= 1e-3 * one.norm().item<float>(), name);
        }
        foreach (var tensor in adapters.SelectMany(a => a.Values))
            tensor.Dispose();
    }

    private sealed class Told : IProgress<PolicyProgress>
    {
        public int Count { get; private set; }

        public void Report(PolicyProgress value) => Count++;
    }
}
