using Chorus.Gpu.Dpo;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Training;

namespace Chorus.Gpu.Policy;

/// <summary>All that makes a policy: the base model's shape and pretraining, its adapter, sampling and tuning.</summary>
/// <remarks>The defaults (1M weights) pretrain in about 90 s on two CPU cores.</remarks>
public sealed record PolicySettings
{
    public int VocabularySize { get; init => field = Positive(value, nameof(VocabularySize)); } = 2048;

    public int HiddenSize { get; init => field = Positive(value, nameof(HiddenSize)); } = 128;

    public int IntermediateSize { get; init => field = Positive(value, nameof(IntermediateSize)); } = 344;

    public int Layers { get; init => field = Positive(value, nameof(Layers)); } = 4;

    public int Heads { get; init => field = Positive(value, nameof(Heads)); } = 4;

    public int KeyValueHeads { get; init => field = Positive(value, nameof(KeyValueHeads)); } = 2;

    /// <summary>Longest sequence of the model, in tokens.</summary>
    public int MaxLength { get; init => field = Positive(value, nameof(MaxLength)); } = 256;

    /// <summary>How the base model learns the public texts. Its sequences must be as long as prompt and new text together.</summary>
    public LanguageModelTrainingSettings Pretraining { get; init; } = new()
    {
        BatchSize = 2,
        SequenceLength = 256,
        Steps = 2000,
        LearningRate = 4e-3,
        WarmUpSteps = 50,
    };

    public LoraSettings Lora { get; init; } = new();

    public SamplingSettings Sampling { get; init; } = new() { TopP = 0.95, MaxNewTokens = 64 };

    public DpoSettings Dpo { get; init; } = new();

    /// <summary>Texts sampled at once; bounds the memory.</summary>
    public int GenerationBatch { get; init => field = Positive(value, nameof(GenerationBatch)); } = 256;

    /// <summary>Longest few-shot prompt, in tokens; longer ones lose tokens at their left.</summary>
    public int PromptTokens { get; init => field = Positive(value, nameof(PromptTokens)); } = 192;

    /// <summary>A longer text is cut to this many tokens as a few-shot example; pretraining takes texts whole.</summary>
    public int MaxTextTokens { get; init => field = Positive(value, nameof(MaxTextTokens)); } = 64;

    /// <summary>Of the base model's first weights and its pretraining, and of the adapter's.</summary>
    public ulong Seed { get; init; }

    /// <summary>Checks how the values fit together.</summary>
    /// <exception cref="ArgumentException">A combination that makes no policy; the message names it.</exception>
    public void Validate()
    {
        ModelConfig(VocabularySize).Validate();
        int longest = PromptTokens + Sampling.MaxNewTokens;
        if (longest > MaxLength)
            throw new ArgumentException($"PromptTokens + Sampling.MaxNewTokens must be at most MaxLength, got {PromptTokens} + {Sampling.MaxNewTokens} and {MaxLength}");
        if (Pretraining.SequenceLength > MaxLength)
            throw new ArgumentException($"Pretraining.SequenceLength must be at most MaxLength, got {Pretraining.SequenceLength} and {MaxLength}");
        // A model writes badly at positions that it never met in training.
        if (Pretraining.SequenceLength < longest)
        {
            throw new ArgumentException(
                $"Pretraining.SequenceLength must be at least PromptTokens + Sampling.MaxNewTokens, got {Pretraining.SequenceLength} and {PromptTokens} + {Sampling.MaxNewTokens}");
        }
    }

    /// <summary>The base model's shape. A tokenizer trained on few texts may have fewer tokens than were asked for.</summary>
    internal LlamaConfig ModelConfig(int vocabularySize) => new()
    {
        VocabularySize = vocabularySize,
        HiddenSize = HiddenSize,
        IntermediateSize = IntermediateSize,
        Layers = Layers,
        Heads = Heads,
        KeyValueHeads = KeyValueHeads,
        MaxLength = MaxLength,
        TieEmbeddings = true,
    };

    private static int Positive(int value, string name) => value > 0 ? value
        : throw new ArgumentOutOfRangeException(name, $"{name} must be at least 1, got {value}");
}

/// <summary>How far a long step of the policy is.</summary>
/// <param name="Stage">tokenizer, pretrain, generate or tune.</param>
/// <param name="Done">Units done: steps, or tokens when generating.</param>
/// <param name="Total">Units in all; when generating the most that there can be.</param>
/// <param name="Detail">For people, such as a loss or a rate; may be empty.</param>
public sealed record PolicyProgress(string Stage, int Done, int Total, string Detail);
