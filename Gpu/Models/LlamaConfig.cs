using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>The shape of a Llama model (arXiv:2302.13971, grouped-query attention of arXiv:2305.13245).</summary>
/// <remarks>Single values are checked where they are set; <see cref="Validate"/> checks how they fit together.</remarks>
public sealed record LlamaConfig
{
    /// <summary>Tokens in the vocabulary, V.</summary>
    public required int VocabularySize { get; init => field = Positive(value, nameof(VocabularySize)); }

    /// <summary>Width of the residual stream, C.</summary>
    public required int HiddenSize { get; init => field = Positive(value, nameof(HiddenSize)); }

    /// <summary>Width of the SwiGLU feed-forward layer.</summary>
    public required int IntermediateSize { get; init => field = Positive(value, nameof(IntermediateSize)); }

    /// <summary>Decoder layers, L.</summary>
    public required int Layers { get; init => field = Positive(value, nameof(Layers)); }

    /// <summary>Query heads, NH.</summary>
    public required int Heads { get; init => field = Positive(value, nameof(Heads)); }

    /// <summary>Key and value heads, KVH; a divisor of <see cref="Heads"/>. Default: as many as query heads.</summary>
    public int KeyValueHeads { get => field > 0 ? field : Heads; init => field = Positive(value, nameof(KeyValueHeads)); }

    /// <summary>Size of one head, HS; even, for RoPE turns pairs. Default: <see cref="HiddenSize"/> / <see cref="Heads"/>.</summary>
    public int HeadSize { get => field > 0 ? field : HiddenSize / Heads; init => field = Positive(value, nameof(HeadSize)); }

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta
    {
        get;
        init => field = value > 0 && double.IsFinite(value) ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"RopeTheta must be > 0 and finite, got {value}");
    } = 10_000;

    /// <summary>Added to the mean square inside RMSNorm.</summary>
    public double NormEpsilon
    {
        get;
        init => field = value > 0 && value < 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"NormEpsilon must be in (0, 1), got {value}");
    } = 1e-5;

    /// <summary>Whether the head is the embedding itself (then there is no lm_head.weight).</summary>
    public bool TieEmbeddings { get; init; } = true;

    /// <summary>Longest sequence, in tokens: how far the rotary tables reach.</summary>
    public int MaxLength { get; init => field = Positive(value, nameof(MaxLength)); } = 512;

    /// <summary>How the rotary frequencies are stretched; null leaves them.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] // as below: a cached model's key stays what it was
    public RotaryScaling? RotaryScaling { get; init; }

    /// <summary>The half-precision type that the rotary frequencies are rounded to; null keeps them in float32.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScalarType? RotaryType { get; init; }

    /// <summary>Whether the four projections of attention have biases.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool AttentionBias { get; init; }

    /// <summary>Whether the three projections of the feed-forward layer have biases.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool MlpBias { get; init; }

    /// <summary>Number of weights of a model of this shape (LoRA not counted).</summary>
    public long ParameterCount =>
        (TieEmbeddings ? 1L : 2L) * VocabularySize * HiddenSize
        + HiddenSize
        + Layers * (2L * HiddenSize
            + 2L * HiddenSize * HeadSize * (Heads + KeyValueHeads)
            + 3L * HiddenSize * IntermediateSize
            + (AttentionBias ? HeadSize * (Heads + 2L * KeyValueHeads) + HiddenSize : 0)
            + (MlpBias ? 2L * IntermediateSize + HiddenSize : 0));

    /// <summary>Checks how the values fit together.</summary>
    /// <exception cref="ArgumentException">A combination that makes no model; the message names it.</exception>
    public void Validate()
    {
        if (Heads % KeyValueHeads != 0)
            throw new ArgumentException($"KeyValueHeads must divide Heads, got {KeyValueHeads} and {Heads}");
        if (HeadSize < 2 || HeadSize % 2 != 0)
            throw new ArgumentException($"HeadSize must be even and at least 2 (HiddenSize / Heads unless set), got {HeadSize}");
        if (RotaryType is not (null or ScalarType.BFloat16 or ScalarType.Float16))
            throw new ArgumentException($"RotaryType must be BFloat16, Float16 or null, got {RotaryType}");
        (RotaryScaling as Llama3RotaryScaling)?.Validate();
    }

    internal CausalShape ToShape() => new("llama", VocabularySize, HiddenSize, IntermediateSize, Layers, Heads, KeyValueHeads, HeadSize, MaxLength, ParameterCount);

    private static int Positive(int value, string name) => value > 0 ? value
        : throw new ArgumentOutOfRangeException(name, $"{name} must be at least 1, got {value}");
}
