// Shapes: B batch, T time, C channels, V vocabulary, L layers
using Chorus.Gpu.Generation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>A Llama language model; its named parameters are those of Hugging Face's LlamaForCausalLM.</summary>
/// <remarks>
/// The rotary tables live on the device chosen at construction and do not follow <c>.to(device)</c>.
/// Weights are drawn on the CPU from the model's own generator, normal(0, 0.02), so that one seed gives one model on any device.
/// </remarks>
public sealed class LlamaModel : CausalModel
{
    private readonly Parameter _embedding;
    private readonly RmsNorm _norm;
    private readonly RotaryTable _rotary;

    /// <exception cref="ArgumentException">The numbers of <paramref name="config"/> do not fit together.</exception>
    public LlamaModel(LlamaConfig config, ulong seed, Device device) : this(config, new SeededWeights(seed, device))
    {
    }

    /// <param name="weights">Disposed here.</param>
    internal LlamaModel(LlamaConfig config, WeightSource weights)
        : base(nameof(LlamaModel), (config ?? throw new ArgumentNullException(nameof(config))).ToShape(), weights.Device, weights.Type)
    {
        using var source = weights;
        config.Validate();
        Config = config;
        var body = new Body();
        _embedding = WeightSource.Owned(source.Matrix(config.VocabularySize, config.HiddenSize));
        body.register_module("embed_tokens", new WeightHolder(_embedding));
        var layers = new LlamaLayer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = new LlamaLayer(config, source);
        Layers = layers;
        body.register_module("layers", nn.ModuleList(layers));
        _norm = new RmsNorm(config.HiddenSize, config.NormEpsilon, source);
        body.register_module("norm", _norm);
        register_module("model", body);
        var head = config.TieEmbeddings ? Projection.Tied(_embedding) : new Projection(source.Matrix(config.VocabularySize, config.HiddenSize));
        if (!config.TieEmbeddings)
            register_module("lm_head", head);
        Projections = [.. layers.SelectMany((layer, i) => layer.Projections.Select(p => ($"model.layers.{i}.{p.Name}", p.Projection))), ("lm_head", head)];
        _rotary = new RotaryTable(config, Device, Type);
    }

    public LlamaConfig Config { get; }

    public IReadOnlyList<LlamaLayer> Layers { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Projection Projection)> Projections { get; }

    /// <inheritdoc/>
    public override bool FanInFanOut => false;

    internal override Parameter Embedding => _embedding;

    /// <summary>The norm behind the last layer.</summary>
    internal RmsNorm FinalNorm => _norm;

    internal override IReadOnlyDictionary<string, Tensor> CheckpointSlots() =>
        named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter, StringComparer.Ordinal);

    internal override DecoderPlan ToDecoder()
    {
        var plan = new DecoderPlan(Shape, Device, Type)
        {
            Embedding = _embedding,
            Rotary = _rotary,
            FinalNorm = new NormWeights(_norm.Weight, null),
            NormEpsilon = Config.NormEpsilon,
            Gated = true,
        };
        foreach (var layer in Layers)
        {
            plan.Add(
                new NormWeights(layer.InputNorm.Weight, null), new NormWeights(layer.PostAttentionNorm.Weight, null),
                [layer.Attention.Query, layer.Attention.Key, layer.Attention.Value], layer.Attention.Output,
                [layer.Mlp.Gate, layer.Mlp.Up], layer.Mlp.Down);
        }
        plan.SetHead(Output);
        return plan;
    }

    private protected override Tensor Run(Tensor ids, Tensor? positions, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        long time = ids.shape[1];
        var (cos, sin) = positions is null ? _rotary.Leading(time) : _rotary.At(positions.unsqueeze(1), time);
        var frame = new AttentionFrame(cos, sin, mask);
        var x = Embed(ids);
        foreach (var layer in Layers)
        {
            var next = layer.Apply(x, frame);
            x.Dispose();
            x = next;
        }
        return _norm.Apply(x).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _rotary.Dispose();
        base.Dispose(disposing);
    }

    // Only there to give the parameters the names that Hugging Face's nesting gives them.
    private sealed class Body() : nn.Module("LlamaBody");
}

/// <summary>A module that is nothing but a named weight, such as an embedding.</summary>
internal sealed class WeightHolder : nn.Module
{
    public WeightHolder(Parameter weight) : base(nameof(WeightHolder)) => register_parameter("weight", weight);
}
