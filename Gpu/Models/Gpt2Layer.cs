// Shapes: B batch, T time, C channels, NH heads, HS head size
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>y = w (x - mean) / sqrt(variance + eps) + b over the last dimension (arXiv:1607.06450).</summary>
public sealed class Gpt2Norm : nn.Module
{
    /// <summary>w, [C].</summary>
    public Parameter Weight { get; }

    /// <summary>b, [C].</summary>
    public Parameter Bias { get; }

    internal double Epsilon { get; }

    /// <summary>As <see cref="Projection.Rule"/>.</summary>
    internal Func<Tensor, Tensor>? Rule { get; set; }

    internal Gpt2Norm(int size, double epsilon, WeightSource weights) : base(nameof(Gpt2Norm))
    {
        Epsilon = epsilon;
        Weight = WeightSource.Owned(weights.Vector(size, 1));
        Bias = WeightSource.Owned(weights.Vector(size, 0));
        register_parameter("weight", Weight);
        register_parameter("bias", Bias);
    }

    internal Tensor Apply(Tensor x) => Rule is { } rule ? rule(x) : nn.functional.layer_norm(x, [Weight.shape[0]], Weight, Bias, Epsilon);
}

/// <summary>One decoder layer of GPT-2: attention and feed-forward, each after LayerNorm and added to the residual stream.</summary>
/// <remarks>No dropout: it plays no part in what the model computes, and tuning here goes without.</remarks>
public sealed class Gpt2Layer : nn.Module
{
    private readonly Gpt2Config _config;

    internal Gpt2Layer(Gpt2Config config, WeightSource weights) : base(nameof(Gpt2Layer))
    {
        _config = config;
        int c = config.HiddenSize;
        Projection New(long outSize, long inSize) => new(weights.Matrix(outSize, inSize), weights.Vector(outSize, 0));
        (FirstNorm, SecondNorm) = (new Gpt2Norm(c, config.NormEpsilon, weights), new Gpt2Norm(c, config.NormEpsilon, weights));
        (QueryKeyValue, AttentionOutput) = (New(3 * c, c), New(c, c));
        (Up, Down) = (New(config.IntermediateSize, c), New(c, config.IntermediateSize));
        register_module("ln_1", FirstNorm);
        register_module("attn", new Pair("c_attn", QueryKeyValue, "c_proj", AttentionOutput));
        register_module("ln_2", SecondNorm);
        register_module("mlp", new Pair("c_fc", Up, "c_proj", Down));
    }

    public Gpt2Norm FirstNorm { get; }

    /// <summary>C to 3 C: query, key and value of all heads.</summary>
    public Projection QueryKeyValue { get; }

    public Projection AttentionOutput { get; }

    public Gpt2Norm SecondNorm { get; }

    public Projection Up { get; }

    public Projection Down { get; }

    internal IReadOnlyList<(string Name, Projection Projection)> Projections =>
        [("attn.c_attn", QueryKeyValue), ("attn.c_proj", AttentionOutput), ("mlp.c_fc", Up), ("mlp.c_proj", Down)];

    /// <summary>x [B, T, C] to [B, T, C].</summary>
    internal Tensor Apply(Tensor x, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        long batch = x.shape[0], time = x.shape[1], c = _config.HiddenSize;
        var parts = QueryKeyValue.Apply(FirstNorm.Apply(x)).view(batch, time, 3, _config.Heads, c / _config.Heads).unbind(2);
        var mixed = CausalAttention.Mix(parts[0].transpose(1, 2), parts[1].transpose(1, 2), parts[2].transpose(1, 2), mask);
        var afterAttention = x + AttentionOutput.Apply(mixed.transpose(1, 2).reshape(batch, time, c));
        return (afterAttention + Down.Apply(Activate(Up.Apply(SecondNorm.Apply(afterAttention)), _config.Activation))).MoveToOuterDisposeScope();
    }

    internal static Tensor Activate(Tensor x, Gpt2Activation activation) => activation switch
    {
        Gpt2Activation.GeluTanh => nn.functional.gelu(x, TorchSharp.Modules.GELU.Approximate.tanh),
        Gpt2Activation.Gelu => nn.functional.gelu(x),
        Gpt2Activation.Relu => nn.functional.relu(x),
        Gpt2Activation.Silu => nn.functional.silu(x),
        _ => throw new NotSupportedException($"activation {activation}"),
    };

    // Only there to nest two projections as Hugging Face does.
    private sealed class Pair : nn.Module
    {
        public Pair(string firstName, Projection first, string secondName, Projection second) : base(nameof(Pair))
        {
            register_module(firstName, first);
            register_module(secondName, second);
        }
    }
}
