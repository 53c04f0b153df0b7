using System.Collections.Immutable;
using Chorus.Gpu.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>Models of known shapes with random weights, made on their device: for measurements, and for trying things out.</summary>
public static class NamedShapes
{
    // A device's generator is seeded and drawn from by whoever comes: models of several ranks are made one after another.
    private static readonly Lock Drawing = new();

    /// <summary>The names that <see cref="Create"/> knows.</summary>
    public static ImmutableArray<string> Names { get; } = ["tiny", "gpt2", "gpt2-medium", "gpt2-large", "llama-1b", "llama-7b", "llama-13b"];

    /// <summary>What a model of that name has, without making one.</summary>
    /// <param name="layers">In place of the shape's own number; null keeps that.</param>
    /// <exception cref="ArgumentException">No such shape.</exception>
    public static CausalShape ShapeOf(string name, int? layers) => Config(name, layers) is Gpt2Config gpt2 ? gpt2.ToShape() : ((LlamaConfig)Config(name, layers)).ToShape();

    /// <summary>A model of that shape; the caller owns it.</summary>
    /// <param name="layers">In place of the shape's own number; null keeps that.</param>
    /// <param name="type">Of the weights.</param>
    /// <param name="seed">On the CPU one seed gives one model in float32; elsewhere weights depend on the device.</param>
    /// <exception cref="ArgumentException">No such shape.</exception>
    public static CausalModel Create(string name, int? layers, Device device, ScalarType type, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(device);
        var config = Config(name, layers);
        lock (Drawing)
            return config is Gpt2Config gpt2 ? new Gpt2Model(gpt2, Weights()) : new LlamaModel((LlamaConfig)config, Weights());

        WeightSource Weights()
        {
            if (device.type == DeviceType.CPU && type == ScalarType.Float32)
                return new SeededWeights(seed, device);
            random.manual_seed((long)seed);
            if (device.type == DeviceType.CUDA)
                cuda.manual_seed_all((long)seed);
            return new DeviceWeights(device, type);
        }
    }

    private static object Config(string name, int? layers)
    {
        return name switch
        {
            "tiny" => Llama(256, 64, 160, 2, 4, 4, 512),
            "gpt2" => Gpt2(768, 12, 12),
            "gpt2-medium" => Gpt2(1024, 24, 16),
            "gpt2-large" => Gpt2(1280, 36, 20),
            "llama-1b" => Llama(32_000, 2048, 5632, 22, 32, 4, 4096),
            "llama-7b" => Llama(32_000, 4096, 11_008, 32, 32, 32, 4096),
            "llama-13b" => Llama(32_000, 5120, 13_824, 40, 40, 40, 4096),
            _ => throw new ArgumentException($"the shape must be one of {string.Join(", ", Names)}, got {name}"),
        };

        Gpt2Config Gpt2(int hidden, int depth, int heads) => new() { VocabularySize = 50_257, HiddenSize = hidden, Layers = layers ?? depth, Heads = heads, MaxLength = 1024 };

        LlamaConfig Llama(int vocabulary, int hidden, int inner, int depth, int heads, int keyValueHeads, int longest) => new()
        {
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = inner,
            Layers = layers ?? depth,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            MaxLength = longest,
            TieEmbeddings = false,
        };
    }
}
