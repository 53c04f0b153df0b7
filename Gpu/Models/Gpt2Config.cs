namespace Chorus.Gpu.Models;

/// <summary>The nonlinearity of GPT-2's feed-forward layer, as config.json spells it.</summary>
public enum Gpt2Activation
{
    /// <summary>GELU by its tanh approximation (arXiv:1606.08415): gelu_new, gelu_pytorch_tanh.</summary>
    GeluTanh,

    /// <summary>GELU by the error function: gelu.</summary>
    Gelu,

    /// <summary>relu.</summary>
    Relu,

    /// <summary>silu, swish.</summary>
    Silu,
}

/// <summary>The shape of a GPT-2 model (Radford et al. 2019).</summary>
/// <remarks>Single values are checked where they are set; <see cref="Validate"/> checks how they fit together.</remarks>
public sealed record Gpt2Config
{
    /// <summary>Tokens in the vocabulary, V.</summary>
    public required int VocabularySize { get; init => field = Positive(value, nameof(VocabularySize)); }

    /// <summary>Width of the residual stream, C; a multiple of <see cref="Heads"/>.</summary>
    public required int HiddenSize { get; init => field = Positive(value, nameof(HiddenSize)); }

    /// <summary>Width of the feed-forward layer. Default: 4 C.</summary>
    public int IntermediateSize { get => field > 0 ? field : 4 * HiddenSize; init => field = Positive(value, nameof(IntermediateSize)); }

    /// <summary>Decoder layers, L.</summary>
    public required int Layers { get; init => field = Positive(value, nameof(Layers)); }

    /// <summary>Attention heads, NH.</summary>
    public required int Heads { get; init => field = Positive(value, nameof(Heads)); }

    /// <summary>Positions that have an embedding: the longest sequence, in tokens.</summary>
    public int MaxLength { get; init => field = Positive(value, nameof(MaxLength)); } = 1024;

    /// <summary>Added to the variance inside LayerNorm.</summary>
    public double NormEpsilon
    {
        get;
        init => field = value > 0 && value < 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"NormEpsilon must be in (0, 1), got {value}");
    } = 1e-5;

    public Gpt2Activation Activation { get; init; }

    /// <summary>Whether the head is the embedding itself (then there is no lm_head.weight).</summary>
    public bool TieEmbeddings { get; init; } = true;

    /// <summary>Number of weights of a model of this shape (LoRA not counted).</summary>
    public long ParameterCount
    {
        get
        {
            long c = HiddenSize, i = IntermediateSize;
            return (TieEmbeddings ? 1L : 2L) * VocabularySize * c + MaxLength * c + 2 * c + Layers * (4 * c + 4 * c * c + 4 * c + 2 * c * i + i + c);
        }
    }

    /// <summary>Checks how the values fit together.</summary>
    /// <exception cref="ArgumentException">A combination that makes no model; the message names it.</exception>
    public void Validate()
    {
        if (HiddenSize % Heads != 0)
            throw new ArgumentException($"Heads must divide HiddenSize, got {Heads} and {HiddenSize}");
    }

    internal CausalShape ToShape() => new("gpt2", VocabularySize, HiddenSize, IntermediateSize, Layers, Heads, Heads, HiddenSize / Heads, MaxLength, ParameterCount);

    private static int Positive(int value, string name) => value > 0 ? value
        : throw new ArgumentOutOfRangeException(name, $"{name} must be at least 1, got {value}");
}
