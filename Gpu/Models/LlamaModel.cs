// Shapes: B batch, T time, C channels, V vocabulary, L layers
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>A Llama language model; its named parameters are those of Hugging Face's LlamaForCausalLM.</summary>
/// <remarks>
/// The device is chosen at construction: the rotary tables live there too and do not follow <c>.to(device)</c>.
/// Weights are drawn on the CPU from the model's own generator, normal(0, 0.02), so that one seed gives one model on any device.
/// </remarks>
public sealed class LlamaModel : nn.Module
{
    private const double InitialStdDev = 0.02;

    private readonly Parameter _embedding;
    private readonly Parameter _head;
    private readonly RmsNorm _norm;
    private readonly RotaryTable _rotary;

    /// <exception cref="ArgumentException">The numbers of <paramref name="config"/> do not fit together.</exception>
    public LlamaModel(LlamaConfig config, ulong seed, Device device) : base(nameof(LlamaModel))
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        Config = config;
        Device = device;
        using var scope = NewDisposeScope();
        using var generator = new Generator(seed, CPU);
        Tensor Normal(long rows, long columns) => randn([rows, columns], generator: generator).mul_(InitialStdDev).to(device).DetachFromDisposeScope();

        var body = new Body();
        _embedding = NewWeight(Normal(config.VocabularySize, config.HiddenSize));
        body.register_module("embed_tokens", new WeightHolder(_embedding));
        var layers = new LlamaLayer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = new LlamaLayer(config, Normal, device);
        Layers = layers;
        body.register_module("layers", nn.ModuleList(layers));
        _norm = new RmsNorm(config.HiddenSize, config.NormEpsilon, device);
        body.register_module("norm", _norm);
        register_module("model", body);
        _head = _embedding;
        if (!config.TieEmbeddings)
        {
            _head = NewWeight(Normal(config.VocabularySize, config.HiddenSize));
            register_module("lm_head", new WeightHolder(_head));
        }
        _rotary = new RotaryTable(config.MaxLength, config.HeadSize, config.RopeTheta, device);
    }

    public LlamaConfig Config { get; }

    public Device Device { get; }

    public IReadOnlyList<LlamaLayer> Layers { get; }

    internal Parameter Embedding => _embedding;

    internal Parameter HeadWeight => _head;

    internal RmsNorm FinalNorm => _norm;

    internal RotaryTable Rotary => _rotary;

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
    /// <param name="positions">int64 [B, T], each in [0, MaxLength); null is 0..T-1.</param>
    /// <param name="mask">bool [B, 1, T, T], true where row t may attend to column s; every row needs one. Null is causal.</param>
    /// <exception cref="ArgumentException">A wrong shape or type, or a sequence longer than MaxLength.</exception>
    public Tensor Hidden(Tensor ids, Tensor? positions, Tensor? mask)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.dim() != 2 || ids.dtype != ScalarType.Int64)
            throw new ArgumentException($"ids must be int64 [B, T], got {ids.dtype} [{string.Join(", ", ids.shape)}]", nameof(ids));
        long batch = ids.shape[0], time = ids.shape[1];
        if (positions is not null && (positions.dtype != ScalarType.Int64 || !positions.shape.AsSpan().SequenceEqual(ids.shape)))
            throw new ArgumentException($"positions must be int64 [{batch}, {time}], got {positions.dtype} [{string.Join(", ", positions.shape)}]", nameof(positions));
        if (mask is not null && (mask.dtype != ScalarType.Bool || !mask.shape.AsSpan().SequenceEqual([batch, 1, time, time])))
            throw new ArgumentException($"mask must be bool [{batch}, 1, {time}, {time}], got {mask.dtype} [{string.Join(", ", mask.shape)}]", nameof(mask));

        using var scope = NewDisposeScope();
        var (cos, sin) = positions is null ? _rotary.Leading(time) : _rotary.At(positions.unsqueeze(1));
        if (_embedding.dtype != ScalarType.Float32)
            (cos, sin) = (cos.to_type(_embedding.dtype), sin.to_type(_embedding.dtype));
        var frame = new AttentionFrame(cos, sin, mask);
        var x = _embedding.index_select(0, ids.reshape(-1)).view(batch, time, Config.HiddenSize);
        foreach (var layer in Layers)
        {
            var next = layer.Apply(x, frame);
            x.Dispose();
            x = next;
        }
        return _norm.Apply(x).MoveToOuterDisposeScope();
    }

    /// <summary>hidden [..., C] to logits [..., V]; the caller owns the result.</summary>
    public Tensor Head(Tensor hidden)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        if (hidden.shape[^1] != Config.HiddenSize)
            throw new ArgumentException($"the last dimension of hidden must be {Config.HiddenSize}, got {hidden.shape[^1]}", nameof(hidden));
        return nn.functional.linear(hidden, _head);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _rotary.Dispose();
        base.Dispose(disposing);
    }

    private static Parameter NewWeight(Tensor values) => (Parameter)new Parameter(values).DetachFromDisposeScope();

    // Only there to give the parameters the names that Hugging Face's nesting gives them.
    private sealed class Body() : nn.Module("LlamaBody");

    private sealed class WeightHolder : nn.Module
    {
        public WeightHolder(Parameter weight) : base(nameof(WeightHolder)) => register_parameter("weight", weight);
    }
}
