// Shapes: C channels, V vocabulary, NH heads, KVH key/value heads, HS head size, I width of the feed-forward layer
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.Generation;

/// <summary>Weight [C] and bias [C] of a norm; without a bias it is RMSNorm, else LayerNorm.</summary>
internal sealed record NormWeights(Tensor Weight, Tensor? Bias);

/// <summary>One layer's weights, projections that share an input put together.</summary>
/// <param name="QueryKeyValue">[(NH + 2 KVH) HS, C].</param>
/// <param name="Up">[I, C], or gate above up [2 I, C].</param>
internal sealed record DecoderLayer(
    NormWeights InputNorm, NormWeights PostNorm,
    Tensor QueryKeyValue, Tensor? QueryKeyValueBias, Tensor Output, Tensor? OutputBias, Tensor Up, Tensor? UpBias, Tensor Down, Tensor? DownBias);

/// <summary>A model's weights laid out for generation, adapters merged in.</summary>
/// <remarks>What is merged or put together is a copy, what is not shares the model's memory: the plan lives as long as one generation.</remarks>
internal sealed class DecoderPlan(CausalShape shape, Device device, ScalarType type) : IDisposable
{
    private readonly List<DecoderLayer> _layers = [];
    private readonly List<Tensor> _owned = [];

    public CausalShape Shape => shape;

    public Device Device => device;

    public ScalarType Type => type;

    /// <summary>[V, C].</summary>
    public required Tensor Embedding { get; init; }

    /// <summary>Learned positions [MaxLength, C]; null where they are rotary.</summary>
    public Tensor? Positions { get; init; }

    public RotaryTable? Rotary { get; init; }

    public required NormWeights FinalNorm { get; init; }

    public required double NormEpsilon { get; init; }

    /// <summary>SwiGLU: down(silu(gate) * up).</summary>
    public bool Gated { get; init; }

    /// <summary>Where not <see cref="Gated"/>.</summary>
    public Gpt2Activation Activation { get; init; }

    public IReadOnlyList<DecoderLayer> Layers => _layers;

    /// <summary>[V, C].</summary>
    public Tensor Head { get; private set; } = null!;

    /// <summary>Adds the next layer.</summary>
    public void Add(NormWeights inputNorm, NormWeights postNorm, Projection[] queryKeyValue, Projection output, Projection[] up, Projection down) =>
        _layers.Add(new DecoderLayer(
            inputNorm, postNorm, Together(queryKeyValue), Biases(queryKeyValue), Together([output]), output.Bias, Together(up), Biases(up), Together([down]), down.Bias));

    public void SetHead(Projection head) => Head = Together([head]);

    public void Dispose()
    {
        foreach (var tensor in _owned)
            tensor.Dispose();
    }

    private Tensor Together(Projection[] projections)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return Own(projections is [var one] ? one.Merged() : cat([.. projections.Select(p => p.Merged())]));
    }

    private Tensor? Biases(Projection[] projections)
    {
        if (projections is [var one])
            return one.Bias;
        if (projections[0].Bias is null)
            return null;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return Own(cat([.. projections.Select(p => p.Bias!)]));
    }

    private Tensor Own(Tensor tensor)
    {
        _owned.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }
}
