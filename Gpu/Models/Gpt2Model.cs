// Shapes: B batch, T time, C channels, V vocabulary, L layers
using Chorus.Gpu.Generation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>A GPT-2 language model (distilgpt2 is one); its named parameters are those of Hugging Face's GPT2LMHeadModel.</summary>
/// <remarks>Weights are drawn on the CPU from the model's own generator, normal(0, 0.02), so that one seed gives one model on any device.</remarks>
public sealed class Gpt2Model : CausalModel
{
    private readonly Parameter _embedding;
    private readonly Parameter _positions;
    private readonly Gpt2Norm _norm;

    /// <exception cref="ArgumentException">The numbers of <paramref name="config"/> do not fit together.</exception>
    public Gpt2Model(Gpt2Config config, ulong seed, Device device) : this(config, new SeededWeights(seed, device))
    {
    }

    /// <param name="weights">Disposed here.</param>
    internal Gpt2Model(Gpt2Config config, WeightSource weights)
        : base(nameof(Gpt2Model), (config ?? throw new ArgumentNullException(nameof(config))).ToShape(), weights.Device, weights.Type)
    {
        using var source = weights;
        config.Validate();
        Config = config;
        var body = new Body();
        _embedding = WeightSource.Owned(source.Matrix(config.VocabularySize, config.HiddenSize));
        _positions = WeightSource.Owned(source.Matrix(config.MaxLength, config.HiddenSize));
        body.register_module("wte", new WeightHolder(_embedding));
        body.register_module("wpe", new WeightHolder(_positions));
        var layers = new Gpt2Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = new Gpt2Layer(config, source);
        Layers = layers;
        body.register_module("h", nn.ModuleList(layers));
        _norm = new Gpt2Norm(config.HiddenSize, config.NormEpsilon, source);
        body.register_module("ln_f", _norm);
        register_module("transformer", body);
        var head = config.TieEmbeddings ? Projection.Tied(_embedding) : new Projection(source.Matrix(config.VocabularySize, config.HiddenSize));
        if (!config.TieEmbeddings)
            register_module("lm_head", head);
        Projections = [.. layers.SelectMany((layer, i) => layer.Projections.Select(p => ($"transformer.h.{i}.{p.Name}", p.Projection))), ("lm_head", head)];
    }

    public Gpt2Config Config { get; }

    public IReadOnlyList<Gpt2Layer> Layers { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Projection Projection)> Projections { get; }

    /// <inheritdoc/>
    public override bool FanInFanOut => true;

    internal override Parameter Embedding => _embedding;

    /// <summary>The embedding of positions, [MaxLength, C].</summary>
    internal Parameter Positions => _positions;

    /// <summary>As <see cref="Projection.Rule"/>: x [B, T, C] to x plus the first T positions.</summary>
    internal Func<Tensor, Tensor>? PositionRule { get; set; }

    /// <summary>The norm behind the last layer.</summary>
    internal Gpt2Norm FinalNorm => _norm;

    internal override IReadOnlyDictionary<string, Tensor> CheckpointSlots()
    {
        using var noGrad = no_grad();
        var conv1D = Projections.SkipLast(1).Select(p => p.Name + ".weight").ToHashSet(StringComparer.Ordinal);
        return named_parameters().ToDictionary(
            p => p.name, p => conv1D.Contains(p.name) ? p.parameter.detach().t() : (Tensor)p.parameter, StringComparer.Ordinal);
    }

    internal override DecoderPlan ToDecoder()
    {
        var plan = new DecoderPlan(Shape, Device, Type)
        {
            Embedding = _embedding,
            Positions = _positions,
            FinalNorm = new NormWeights(_norm.Weight, _norm.Bias),
            NormEpsilon = Config.NormEpsilon,
            Activation = Config.Activation,
        };
        foreach (var layer in Layers)
        {
            plan.Add(
                new NormWeights(layer.FirstNorm.Weight, layer.FirstNorm.Bias), new NormWeights(layer.SecondNorm.Weight, layer.SecondNorm.Bias),
                [layer.QueryKeyValue], layer.AttentionOutput, [layer.Up], layer.Down);
        }
        plan.SetHead(Output);
        return plan;
    }

    private protected override Tensor Run(Tensor ids, Tensor? positions, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        long batch = ids.shape[0], time = ids.shape[1];
        Tensor x;
        if (PositionRule is { } rule)
            x = positions is null ? rule(Embed(ids)) : throw new NotSupportedException("per-sample gradients of position embeddings need positions from 0 on: give none");
        else
            x = Embed(ids) + (positions is null ? _positions.narrow(0, 0, time) : _positions.index_select(0, positions.reshape(-1)).view(batch, time, Config.HiddenSize));
        foreach (var layer in Layers)
        {
            var next = layer.Apply(x, mask);
            x.Dispose();
            x = next;
        }
        return _norm.Apply(x).MoveToOuterDisposeScope();
    }

    // Only there to give the parameters the names that Hugging Face's nesting gives them.
    private sealed class Body() : nn.Module("Gpt2Body");
}
