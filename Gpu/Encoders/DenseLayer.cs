using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Encoders;

/// <summary>A linear layer and an activation after the pooling: the Dense module of sentence-transformers.</summary>
internal sealed class DenseLayer : IDisposable
{
    private readonly Tensor _weight;
    private readonly Tensor? _bias;
    private readonly bool _tanh;

    private DenseLayer(Tensor weight, Tensor? bias, bool tanh) => (_weight, _bias, _tanh) = (weight, bias, tanh);

    internal int InSize => (int)_weight.shape[1];

    internal int OutSize => (int)_weight.shape[0];

    internal static DenseLayer Load(string directory, torch.Device device, ScalarType type)
    {
        var (inSize, outSize, bias, tanh) = SentencePipeline.Parse(Path.Combine(directory, "config.json"), root =>
        {
            var activation = root.TryGetProperty("activation_function", out var named) ? named.GetString() ?? "" : "torch.nn.modules.activation.Tanh";
            var kind = activation[(activation.LastIndexOf('.') + 1)..];
            if (kind is not ("Tanh" or "Identity"))
                throw new InvalidDataException($"activation_function {activation} is not supported; known are Tanh, Identity");
            return (root.GetProperty("in_features").GetInt64(), root.GetProperty("out_features").GetInt64(),
                !root.TryGetProperty("bias", out var has) || has.ValueKind != JsonValueKind.False, kind == "Tanh");
        });
        var shapes = new Dictionary<string, long[]> { ["linear.weight"] = [outSize, inSize] };
        if (bias)
            shapes["linear.bias"] = [outSize];
        var weights = EncoderWeights.Read(directory, device, type, shapes, name => name, "a Dense module");
        return new DenseLayer(weights["linear.weight"], weights.GetValueOrDefault("linear.bias"), tanh);
    }

    /// <summary>[B, in] to [B, out], which the caller owns.</summary>
    internal Tensor Apply(Tensor x)
    {
        using var scope = NewDisposeScope();
        var y = nn.functional.linear(x, _weight, _bias);
        return (_tanh ? y.tanh() : y).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _weight.Dispose();
        _bias?.Dispose();
    }
}
