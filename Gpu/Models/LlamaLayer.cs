// Shapes: B batch, T time, C channels, NH heads, KVH key/value heads, HS head size
using Chorus.Gpu.Models.Fused;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>What every layer needs to know of the positions: rotary tables that broadcast to [B, NH, T, HS], and who may attend to whom.</summary>
/// <param name="Cos">[T, HS] or [B, 1, T, HS].</param>
/// <param name="Sin">As <paramref name="Cos"/>.</param>
/// <param name="Mask">bool [B or 1, 1, T, T], true where attention is allowed; null is causal.</param>
internal readonly record struct AttentionFrame(Tensor Cos, Tensor Sin, Tensor? Mask);

/// <summary>Grouped-query causal attention with rotary positions.</summary>
public sealed class LlamaAttention : nn.Module
{
    private readonly LlamaConfig _config;

    internal LlamaAttention(LlamaConfig config, WeightSource weights) : base(nameof(LlamaAttention))
    {
        _config = config;
        long query = config.Heads * config.HeadSize, keyValue = config.KeyValueHeads * config.HeadSize;
        Projection New(long outSize, long inSize) => new(weights.Matrix(outSize, inSize), config.AttentionBias ? weights.Vector(outSize, 0) : null);
        Query = New(query, config.HiddenSize);
        Key = New(keyValue, config.HiddenSize);
        Value = New(keyValue, config.HiddenSize);
        Output = New(config.HiddenSize, query);
        register_module("q_proj", Query);
        register_module("k_proj", Key);
        register_module("v_proj", Value);
        register_module("o_proj", Output);
    }

    public Projection Query { get; }

    public Projection Key { get; }

    public Projection Value { get; }

    public Projection Output { get; }

    /// <summary>x [B, T, C] to [B, T, C].</summary>
    internal Tensor Apply(Tensor x, AttentionFrame frame)
    {
        using var scope = NewDisposeScope();
        long batch = x.shape[0], time = x.shape[1];
        var projected = Projection.ApplyAll(x, Query, Key, Value);
        var (query, key) = (Heads(projected[0], _config.Heads), Heads(projected[1], _config.KeyValueHeads));
        (query, key) = FusedRotary.TryApply(query, key, frame.Cos, frame.Sin) is { } turned ? (turned[0].transpose(1, 2), turned[1].transpose(1, 2))
            : (RotaryTable.Turn(query.transpose(1, 2), frame.Cos, frame.Sin), RotaryTable.Turn(key.transpose(1, 2), frame.Cos, frame.Sin));
        var mixed = CausalAttention.Mix(query, key, Heads(projected[2], _config.KeyValueHeads).transpose(1, 2), frame.Mask);
        return Output.Apply(mixed.transpose(1, 2).reshape(batch, time, _config.Heads * _config.HeadSize)).MoveToOuterDisposeScope();
    }

    // [B, T, heads * HS] to [B, T, heads, HS]
    private Tensor Heads(Tensor x, long heads) => x.view(x.shape[0], x.shape[1], heads, _config.HeadSize);
}

/// <summary>The SwiGLU feed-forward layer (arXiv:2002.05202): down(silu(gate(x)) * up(x)).</summary>
public sealed class LlamaMlp : nn.Module
{
    internal LlamaMlp(LlamaConfig config, WeightSource weights) : base(nameof(LlamaMlp))
    {
        Projection New(long outSize, long inSize) => new(weights.Matrix(outSize, inSize), config.MlpBias ? weights.Vector(outSize, 0) : null);
        Gate = New(config.IntermediateSize, config.HiddenSize);
        Up = New(config.IntermediateSize, config.HiddenSize);
        Down = New(config.HiddenSize, config.IntermediateSize);
        register_module("gate_proj", Gate);
        register_module("up_proj", Up);
        register_module("down_proj", Down);
    }

    public Projection Gate { get; }

    public Projection Up { get; }

    public Projection Down { get; }

    internal Tensor Apply(Tensor x)
    {
        using var scope = NewDisposeScope();
        var projected = Projection.ApplyAll(x, Gate, Up);
        return Down.Apply(FusedGatedSilu.TryApply(projected[0], projected[1]) ?? nn.functional.silu(projected[0]) * projected[1]).MoveToOuterDisposeScope();
    }
}

/// <summary>One decoder layer: attention and feed-forward, each after RMSNorm and added to the residual stream.</summary>
public sealed class LlamaLayer : nn.Module
{
    internal LlamaLayer(LlamaConfig config, WeightSource weights) : base(nameof(LlamaLayer))
    {
        Attention = new LlamaAttention(config, weights);
        Mlp = new LlamaMlp(config, weights);
        InputNorm = new RmsNorm(config.HiddenSize, config.NormEpsilon, weights);
        PostAttentionNorm = new RmsNorm(config.HiddenSize, config.NormEpsilon, weights);
        register_module("self_attn", Attention);
        register_module("mlp", Mlp);
        register_module("input_layernorm", InputNorm);
        register_module("post_attention_layernorm", PostAttentionNorm);
    }

    public LlamaAttention Attention { get; }

    public LlamaMlp Mlp { get; }

    public RmsNorm InputNorm { get; }

    public RmsNorm PostAttentionNorm { get; }

    /// <summary>The seven projections by the last part of their Hugging Face names, in the order of the forward pass.</summary>
    public IReadOnlyList<(string Name, Projection Projection)> Projections =>
    [
        ("self_attn.q_proj", Attention.Query), ("self_attn.k_proj", Attention.Key), ("self_attn.v_proj", Attention.Value),
        ("self_attn.o_proj", Attention.Output), ("mlp.gate_proj", Mlp.Gate), ("mlp.up_proj", Mlp.Up), ("mlp.down_proj", Mlp.Down),
    ];

    internal Tensor Apply(Tensor x, AttentionFrame frame)
    {
        using var scope = NewDisposeScope();
        var afterAttention = x + Attention.Apply(InputNorm.Apply(x), frame);
        return (afterAttention + Mlp.Apply(PostAttentionNorm.Apply(afterAttention))).MoveToOuterDisposeScope();
    }
}
