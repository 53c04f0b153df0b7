// Shapes: B batch, T time, C channels, V vocabulary
using Chorus.Gpu.Generation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>What every causal language model has, whatever its family.</summary>
/// <param name="Family">As config.json names it in model_type: llama or gpt2.</param>
/// <param name="VocabularySize">V.</param>
/// <param name="HiddenSize">Width of the residual stream, C.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="Layers">L.</param>
/// <param name="Heads">Query heads, NH.</param>
/// <param name="KeyValueHeads">KVH, a divisor of <paramref name="Heads"/>.</param>
/// <param name="HeadSize">HS.</param>
/// <param name="MaxLength">Longest sequence, in tokens.</param>
/// <param name="ParameterCount">Weights, an adapter not counted.</param>
public sealed record CausalShape(
    string Family, int VocabularySize, int HiddenSize, int IntermediateSize, int Layers, int Heads, int KeyValueHeads, int HeadSize, int MaxLength, long ParameterCount);

/// <summary>A causal language model: its named parameters are those of Hugging Face's model of the same family.</summary>
/// <remarks>The device and the weights' type are chosen at construction.</remarks>
public abstract class CausalModel : nn.Module
{
    private protected CausalModel(string name, CausalShape shape, Device device, ScalarType type) : base(name) =>
        (Shape, Device, Type) = (shape, device, type);

    public CausalShape Shape { get; }

    public Device Device { get; }

    /// <summary>Of the weights; an adapter has its own.</summary>
    public ScalarType Type { get; }

    /// <summary>Every linear layer by the name that Hugging Face's model gives it (model.layers.0.self_attn.q_proj), by layer, in the order of the forward pass; the head is last.</summary>
    public abstract IReadOnlyList<(string Name, Projection Projection)> Projections { get; }

    /// <summary>The layer from hidden states to logits; its weight may be the embedding's.</summary>
    public Projection Output => Projections[^1].Projection;

    /// <summary>The token embedding, [V, C].</summary>
    internal abstract Parameter Embedding { get; }

    /// <summary>As <see cref="Projection.Rule"/>: ids [B, T] to their rows of the embedding, [B, T, C].</summary>
    internal Func<Tensor, Tensor>? EmbeddingRule { get; set; }

    /// <summary>Whether checkpoints keep linear weights as [in, out] (GPT-2's Conv1D); here they are [out, in].</summary>
    public abstract bool FanInFanOut { get; }

    /// <summary>The weights as checkpoints name and lay them out: views, so that what is copied into them is in the model.</summary>
    internal abstract IReadOnlyDictionary<string, Tensor> CheckpointSlots();

    /// <summary>The weights laid out for generation, with enabled adapters merged in; the caller owns the plan, which must not outlive the model.</summary>
    internal abstract DecoderPlan ToDecoder();

    private protected Tensor Embed(Tensor ids) => EmbeddingRule is { } rule ? rule(ids)
        : Embedding.index_select(0, ids.reshape(-1)).view(ids.shape[0], ids.shape[1], Shape.HiddenSize);

    private protected abstract Tensor Run(Tensor ids, Tensor? positions, Tensor? mask);

    /// <summary>ids int64 [B, T] to logits [B, T, V]; the caller owns the result.</summary>
    public Tensor Forward(Tensor ids)
    {
        using var scope = NewDisposeScope();
        return Head(Hidden(ids)).MoveToOuterDisposeScope();
    }

    /// <summary>ids int64 [B, T] to the normed hidden states [B, T, C] that the head reads; the caller owns the result.</summary>
    public Tensor Hidden(Tensor ids) => Hidden(ids, null, null);

    /// <summary>The hidden states where positions and attention are given, as for several continuations packed behind one prompt.</summary>
    /// <param name="ids">int64 [B, T].</param>
    /// <param name="positions">int64 [B, T], each in [0, T) and below MaxLength; null is 0..T-1.</param>
    /// <param name="mask">bool [B, 1, T, T], true where row t may attend to column s; every row needs one. Null is causal.</param>
    /// <exception cref="ArgumentException">A wrong shape or type, or a sequence longer than MaxLength.</exception>
    public Tensor Hidden(Tensor ids, Tensor? positions, Tensor? mask)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.dim() != 2 || ids.dtype != ScalarType.Int64)
            throw new ArgumentException($"ids must be int64 [B, T], got {ids.dtype} [{string.Join(", ", ids.shape)}]", nameof(ids));
        long batch = ids.shape[0], time = ids.shape[1];
        if (positions is null && time > Shape.MaxLength)
            throw new ArgumentException($"a sequence must have at most MaxLength = {Shape.MaxLength} tokens, got {time}");
        if (positions is not null && (positions.dtype != ScalarType.Int64 || !positions.shape.AsSpan().SequenceEqual(ids.shape)))
            throw new ArgumentException($"positions must be int64 [{batch}, {time}], got {positions.dtype} [{string.Join(", ", positions.shape)}]", nameof(positions));
        if (mask is not null && (mask.dtype != ScalarType.Bool || !mask.shape.AsSpan().SequenceEqual([batch, 1, time, time])))
            throw new ArgumentException($"mask must be bool [{batch}, 1, {time}, {time}], got {mask.dtype} [{string.Join(", ", mask.shape)}]", nameof(mask));
        return Run(ids, positions, mask);
    }

    /// <summary>ids int64 [B, T] to logits [B T, V'] for a loss, V' being V or on a GPU the next multiple of 8; what is beyond V does not count. The caller owns the result.</summary>
    internal Tensor LogitRows(Tensor ids)
    {
        using var scope = NewDisposeScope();
        var hidden = Hidden(ids);
        bool plain = Output.Bias is null && Output.Branch is not { Enabled: true };
        var logits = plain ? Output.ApplyPadded(hidden) : Head(hidden);
        return logits.reshape(-1, logits.shape[^1]).MoveToOuterDisposeScope();
    }

    /// <summary>hidden [..., C] to logits [..., V]; the caller owns the result.</summary>
    public Tensor Head(Tensor hidden)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        if (hidden.shape[^1] != Shape.HiddenSize)
            throw new ArgumentException($"the last dimension of hidden must be {Shape.HiddenSize}, got {hidden.shape[^1]}", nameof(hidden));
        return Output.Apply(hidden);
    }
}
