// Shapes: B batch, T time, C channels, NH heads, HS head size
using static TorchSharp.torch;

namespace Chorus.Gpu.Encoders;

/// <summary>A BERT encoder (Devlin et al., arXiv:1810.04805) for inference: token ids to the hidden states of its last layer.</summary>
/// <remarks>Any number of threads may call <see cref="Forward"/> at once.</remarks>
public sealed class BertModel : IDisposable
{
    private readonly Dictionary<string, Tensor> _weights;
    private readonly Layer[] _layers;

    private BertModel(BertConfig config, Device device, Dictionary<string, Tensor> weights)
    {
        (Config, Device, _weights) = (config, device, weights);
        _layers = [.. Enumerable.Range(0, config.Layers).Select(i => Layer.Of(weights, $"encoder.layer.{i}."))];
    }

    public BertConfig Config { get; }

    public Device Device { get; }

    /// <summary>Reads config.json and the safetensors of a checkpoint; its names may begin with "bert.".</summary>
    /// <param name="directory">The checkpoint.</param>
    /// <param name="device">Where the model is to be.</param>
    /// <param name="type">The type of its weights and of its arithmetic.</param>
    /// <returns>A model that the caller owns.</returns>
    /// <exception cref="InvalidDataException">Another architecture, or a tensor that is missing, unknown or of another shape; the message names it.</exception>
    public static BertModel Load(string directory, Device device, ScalarType type = ScalarType.Float32)
    {
        var config = BertConfig.Read(Path.Combine(directory, "config.json"));
        using var noGrad = no_grad();
        var weights = EncoderWeights.Read(directory, device, type, Shapes(config), Rename, $"a BERT encoder of {config.Layers} layers");
        return new BertModel(config, device, weights);
    }

    /// <summary>The hidden states of the last layer.</summary>
    /// <param name="ids">[B, T] int64 on the model's device, T at most the config's length.</param>
    /// <param name="present">[B, T] bool, false where a row is filled up; null where none is.</param>
    /// <returns>[B, T, C], which the caller owns.</returns>
    public Tensor Forward(Tensor ids, Tensor? present)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        long batch = ids.shape[0], time = ids.shape[1];
        if (time > Config.MaxLength)
            throw new ArgumentException($"a sequence must have at most {Config.MaxLength} tokens, got {time}");
        var x = _weights["embeddings.word_embeddings.weight"].index_select(0, ids.reshape(-1)).view(batch, time, Config.HiddenSize)
            + _weights["embeddings.position_embeddings.weight"].narrow(0, 0, time)
            + _weights["embeddings.token_type_embeddings.weight"].narrow(0, 0, 1);
        x = Norm(x, _weights["embeddings.LayerNorm.weight"], _weights["embeddings.LayerNorm.bias"]);
        var mask = present?.view(batch, 1, 1, time);
        foreach (var layer in _layers)
            x = Apply(layer, x, mask);
        return x.MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var weight in _weights.Values)
            weight.Dispose();
    }

    // Post-norm: the sum with the residual is normalised, not the input.
    private Tensor Apply(Layer layer, Tensor x, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        long batch = x.shape[0], time = x.shape[1];
        Tensor Split(Linear projection) => projection.Apply(x).view(batch, time, Config.Heads, Config.HeadSize).transpose(1, 2);
        var attended = nn.functional.scaled_dot_product_attention(Split(layer.Query), Split(layer.Key), Split(layer.Value), mask)
            .transpose(1, 2).reshape(batch, time, Config.HiddenSize);
        var y = Norm(layer.AttentionOutput.Apply(attended) + x, layer.AttentionNorm.Weight, layer.AttentionNorm.Bias);
        var fed = layer.Output.Apply(Activate(layer.Intermediate.Apply(y)));
        return Norm(fed + y, layer.OutputNorm.Weight, layer.OutputNorm.Bias).MoveToOuterDisposeScope();
    }

    private Tensor Norm(Tensor x, Tensor weight, Tensor bias) => nn.functional.layer_norm(x, [Config.HiddenSize], weight, bias, Config.NormEpsilon);

    private Tensor Activate(Tensor x) => Config.Activation switch
    {
        "gelu" => nn.functional.gelu(x),
        "relu" => nn.functional.relu(x),
        // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel, arXiv:1606.08415)
        _ => (((x.pow(3) * 0.044715) + x) * Math.Sqrt(2 / Math.PI)).tanh().add_(1).mul_(x).mul_(0.5),
    };

    private static Dictionary<string, long[]> Shapes(BertConfig config)
    {
        long hidden = config.HiddenSize, inner = config.IntermediateSize;
        var shapes = new Dictionary<string, long[]>(StringComparer.Ordinal)
        {
            ["embeddings.word_embeddings.weight"] = [config.VocabularySize, hidden],
            ["embeddings.position_embeddings.weight"] = [config.MaxLength, hidden],
            ["embeddings.token_type_embeddings.weight"] = [config.TokenTypes, hidden],
            ["embeddings.LayerNorm.weight"] = [hidden],
            ["embeddings.LayerNorm.bias"] = [hidden],
        };
        for (var i = 0; i < config.Layers; i++)
        {
            var layer = $"encoder.layer.{i}.";
            foreach (var name in (string[])["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"])
                Add(layer + name, hidden, hidden);
            Add(layer + "intermediate.dense", inner, hidden);
            Add(layer + "output.dense", hidden, inner);
            foreach (var name in (string[])["attention.output.LayerNorm", "output.LayerNorm"])
                (shapes[$"{layer}{name}.weight"], shapes[$"{layer}{name}.bias"]) = ([hidden], [hidden]);
        }
        return shapes;

        void Add(string name, long outSize, long inSize) => (shapes[name + ".weight"], shapes[name + ".bias"]) = ([outSize, inSize], [outSize]);
    }

    // From a name in the file to that of a weight; null is a part that a sentence encoder does not use.
    private static string? Rename(string name)
    {
        var own = name.StartsWith("bert.", StringComparison.Ordinal) ? name["bert.".Length..] : name;
        if (own.StartsWith("pooler.", StringComparison.Ordinal) || own.StartsWith("cls.", StringComparison.Ordinal)
            || own is "embeddings.position_ids" or "embeddings.token_type_ids")
            return null;
        // The names of checkpoints that came from TensorFlow.
        return own.Replace("LayerNorm.gamma", "LayerNorm.weight", StringComparison.Ordinal).Replace("LayerNorm.beta", "LayerNorm.bias", StringComparison.Ordinal);
    }

    private readonly record struct Linear(Tensor Weight, Tensor Bias)
    {
        internal static Linear Of(Dictionary<string, Tensor> weights, string name) => new(weights[name + ".weight"], weights[name + ".bias"]);

        internal Tensor Apply(Tensor x) => nn.functional.linear(x, Weight, Bias);
    }

    private sealed record Layer(Linear Query, Linear Key, Linear Value, Linear AttentionOutput, Linear AttentionNorm, Linear Intermediate, Linear Output, Linear OutputNorm)
    {
        internal static Layer Of(Dictionary<string, Tensor> weights, string at)
        {
            Linear Named(string name) => Linear.Of(weights, at + name);
            return new Layer(
                Named("attention.self.query"), Named("attention.self.key"), Named("attention.self.value"), Named("attention.output.dense"),
                Named("attention.output.LayerNorm"), Named("intermediate.dense"), Named("output.dense"), Named("output.LayerNorm"));
        }
    }
}
