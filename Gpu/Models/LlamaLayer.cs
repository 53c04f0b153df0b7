// Shapes: B batch, T time, C channels, NH heads, KVH key/value heads, HS head size
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

    internal LlamaAttention(LlamaConfig config, Func<long, long, Tensor> weight) : base(nameof(LlamaAttention))
    {
        _config = config;
        long query = config.Heads * config.HeadSize, keyValue = config.KeyValueHeads * config.HeadSize;
        Query = new Projection(weight(query, config.HiddenSize));
        Key = new Projection(weight(keyValue, config.HiddenSize));
        Value = new Projection(weight(keyValue, config.HiddenSize));
        Output = new Projection(weight(config.HiddenSize, query));
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
        var query = RotaryTable.Turn(Heads(Query.Apply(x), _config.Heads), frame.Cos, frame.Sin);
        var key = Expand(RotaryTable.Turn(Heads(Key.Apply(x), _config.KeyValueHeads), frame.Cos, frame.Sin));
        var value = Expand(Heads(Value.Apply(x), _config.KeyValueHeads));
        var mixed = frame.Mask is null
            ? nn.functional.scaled_dot_product_attention(query, key, value, is_casual: true)
            : nn.functional.scaled_dot_product_attention(query, key, value, frame.Mask);
        return Output.Apply(mixed.transpose(1, 2).reshape(batch, time, _config.Heads * _config.HeadSize)).MoveToOuterDisposeScope();
    }

    // [B, T, heads * HS] to [B, heads, T, HS]
    private Tensor Heads(Tensor x, long heads) => x.view(x.shape[0], x.shape[1], heads, _config.HeadSize).transpose(1, 2);

    // Query head h reads key/value head h / (NH / KVH): [B, KVH, T, HS] to [B, NH, T, HS]. TorchSharp's attention has no GQA option.
    private Tensor Expand(Tensor x)
    {
        if (_config.Heads == _config.KeyValueHeads)
            return x;
        long batch = x.shape[0], time = x.shape[2];
        return x.unsqueeze(2)
            .expand(batch, _config.KeyValueHeads, _config.Heads / _config.KeyValueHeads, time, _config.HeadSize)
            .reshape(batch, _config.Heads, time, _config.HeadSize);
    }
}

/// <summary>The SwiGLU feed-forward layer (arXiv:2002.05202): down(silu(gate(x)) * up(x)).</summary>
public sealed class LlamaMlp : nn.Module
{
    internal LlamaMlp(LlamaConfig config, Func<long, long, Tensor> weight) : base(nameof(LlamaMlp))
    {
        Gate = new Projection(weight(config.IntermediateSize, config.HiddenSize));
        Up = new Projection(weight(config.IntermediateSize, config.HiddenSize));
        Down = new Projection(weight(config.HiddenSize, config.IntermediateSize));
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
        return Down.Apply(nn.functional.silu(Gate.Apply(x)) * Up.Apply(x)).MoveToOuterDisposeScope();
    }
}

/// <summary>One decoder layer: attention and feed-forward, each after RMSNorm and added to the residual stream.</summary>
public sealed class LlamaLayer : nn.Module
{
    internal LlamaLayer(LlamaConfig config, Func<long, long, Tensor> weight, Device device) : base(nameof(LlamaLayer))
    {
        Attention = new LlamaAttention(config, weight);
        Mlp = new LlamaMlp(config, weight);
        InputNorm = new RmsNorm(config.HiddenSize, config.NormEpsilon, device);
        PostAttentionNorm = new RmsNorm(config.HiddenSize, config.NormEpsilon, device);
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
