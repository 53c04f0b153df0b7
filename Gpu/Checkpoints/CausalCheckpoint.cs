using System.Text.Json;
using Chorus.Gpu.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>How a checkpoint is loaded.</summary>
public sealed record CheckpointLoading
{
    /// <summary>The type that weights are converted to; null is the checkpoint's own.</summary>
    public ScalarType? Type
    {
        get;
        init => field = value is null or ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float64 ? value
            : throw new ArgumentException($"Type must be Float32, BFloat16, Float16, Float64 or null, got {value}");
    } = ScalarType.Float32;

    /// <summary>Whether rotary frequencies are exact even where half-precision weights are widened.</summary>
    /// <remarks>
    /// transformers computes a bf16 checkpoint in float32 in two ways. from_pretrained(dtype=float32) makes the frequencies
    /// anew, exact. A model that was cast as a whole, model.to(bfloat16) and later model.float(), has frequencies that went
    /// through bfloat16, as its weights did. False is the second, the model whose every number the checkpoint's type holds;
    /// logits of the two differ by about 1e-3 on short texts. Weights that keep their half-precision type always have exact ones.
    /// </remarks>
    public bool ExactRotary { get; init; }
}

/// <summary>What a folder holds, read from config.json and the weights' headers alone.</summary>
/// <param name="Family">model_type of config.json.</param>
/// <param name="Shape">Of the model; null where the family is no causal language model that is known here.</param>
/// <param name="Type">That of most weights in the files.</param>
/// <param name="Tensors">Names, types and shapes, in the order of names.</param>
/// <param name="WeightBytes">Of all tensors.</param>
/// <param name="Parameters">Numbers in all tensors.</param>
/// <param name="EndTokens">Ids that end a text (eos_token_id of generation_config.json and config.json); may be empty.</param>
public sealed record CheckpointInfo(
    string Family, CausalShape? Shape, ScalarType Type, IReadOnlyList<(string Name, string Type, IReadOnlyList<long> Shape)> Tensors,
    long WeightBytes, long Parameters, IReadOnlyList<int> EndTokens);

/// <summary>Causal language models as Hugging Face keeps them: config.json and model.safetensors, whole or in shards.</summary>
public static class CausalCheckpoint
{
    internal const string ConfigFile = "config.json", GenerationConfigFile = "generation_config.json";

    /// <summary>Writes config.json and the weights in the model's own type; each file is replaced at once, the weights first.</summary>
    /// <param name="m">Its parameters are written under their own names; a LoRA branch is no part of them.</param>
    /// <param name="directory">Made where missing.</param>
    /// <param name="endToken">The id that ends a document, for other programs; null leaves it open.</param>
    /// <param name="shardBytes">A larger checkpoint is written in files of at most so many bytes, and an index.</param>
    public static void Save(CausalModel m, string directory, int? endToken = null, long shardBytes = WeightFiles.LargestShardBytes)
    {
        ArgumentNullException.ThrowIfNull(m);
        Directory.CreateDirectory(directory);
        using (NewDisposeScope())
            WeightFiles.Write(directory, m.CheckpointSlots(), shardBytes);
        var config = Path.Combine(directory, ConfigFile);
        if (m is Gpt2Model gpt2)
            Gpt2ConfigJson.Write(config, gpt2.Config, m.Type, endToken);
        else
            LlamaConfigJson.Write(config, ((LlamaModel)m).Config, m.Type, endToken);
    }

    /// <summary>Reads a model to the device, its weights as float32.</summary>
    /// <inheritdoc cref="Load(string, torch.Device, CheckpointLoading)"/>
    public static CausalModel Load(string directory, torch.Device device) => Load(directory, device, new CheckpointLoading());

    /// <summary>Reads a model to the device, tensor by tensor: the host holds little more than what stays there.</summary>
    /// <returns>A model that the caller owns.</returns>
    /// <exception cref="FileNotFoundException">A file is missing; the message names it.</exception>
    /// <exception cref="InvalidDataException">Another architecture, or weights that do not fit the shape; the message names them.</exception>
    public static CausalModel Load(string directory, torch.Device device, CheckpointLoading loading)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(loading);
        var config = ReadConfig(directory);
        using var files = WeightFiles.Open(directory);
        var stored = StoredType(files);
        var type = loading.Type ?? stored;
        CausalModel model;
        if (config is Gpt2Config gpt2)
        {
            model = new Gpt2Model(gpt2, new UnsetWeights(device, type));
        }
        else
        {
            var llama = (LlamaConfig)config;
            bool widened = stored is ScalarType.BFloat16 or ScalarType.Float16 && type is ScalarType.Float32 or ScalarType.Float64;
            model = new LlamaModel(widened && !loading.ExactRotary ? llama with { RotaryType = stored } : llama, new UnsetWeights(device, type));
        }
        try
        {
            using var scope = NewDisposeScope();
            files.CopyTo(model.CheckpointSlots(), Renaming(config), $"a model of {model.Shape.Layers} layers");
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>What a folder holds, without reading values.</summary>
    /// <inheritdoc cref="Load(string, torch.Device, CheckpointLoading)" path="/exception"/>
    public static CheckpointInfo Describe(string directory)
    {
        var family = ConfigJson.Family(ConfigPath(directory));
        using var files = WeightFiles.Open(directory);
        return new CheckpointInfo(
            family, family is "llama" or "gpt2" ? Shape(ReadConfig(directory)) : null, StoredType(files),
            [.. files.Entries.OrderBy(e => e.Name, StringComparer.Ordinal).Select(e => (e.Name, e.Type.Name, (IReadOnlyList<long>)e.Shape))],
            files.Entries.Sum(e => e.Bytes), files.Entries.Sum(e => e.Bytes / e.Type.Bytes), EndTokens(directory));
    }

    /// <summary>The shape of the model that config.json describes.</summary>
    /// <inheritdoc cref="Load(string, torch.Device, CheckpointLoading)" path="/exception"/>
    public static CausalShape ReadShape(string directory) => Shape(ReadConfig(directory));

    /// <summary>The ids that end a text: those of generation_config.json, then those of config.json; empty where neither names one.</summary>
    public static IReadOnlyList<int> EndTokens(string directory)
    {
        var ids = new List<int>();
        foreach (var file in new[] { GenerationConfigFile, ConfigFile })
        {
            var path = Path.Combine(directory, file);
            if (!File.Exists(path))
                continue;
            using var json = ConfigJson.Parse(path);
            if (!json.RootElement.TryGetProperty("eos_token_id", out var end))
                continue;
            ids.AddRange(end.ValueKind switch
            {
                JsonValueKind.Number => [end.GetInt32()],
                JsonValueKind.Array => end.EnumerateArray().Select(e => e.GetInt32()),
                _ => [],
            });
        }
        return [.. ids.Distinct()];
    }

    private static CausalShape Shape(object config) => config is Gpt2Config gpt2 ? gpt2.ToShape() : ((LlamaConfig)config).ToShape();

    // A LlamaConfig or a Gpt2Config.
    private static object ReadConfig(string directory)
    {
        var path = ConfigPath(directory);
        return ConfigJson.Family(path) switch
        {
            "llama" => LlamaConfigJson.Read(path),
            "gpt2" => Gpt2ConfigJson.Read(path),
            var other => throw new InvalidDataException($"{path}: model_type must be llama or gpt2, found {other}"),
        };
    }

    private static string ConfigPath(string directory)
    {
        var path = Path.Combine(directory, ConfigFile);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{directory} holds no {ConfigFile}; expected a checkpoint in Hugging Face layout", path);
    }

    private static Func<string, string?> Renaming(object config)
    {
        bool tied = config is Gpt2Config { TieEmbeddings: true } or LlamaConfig { TieEmbeddings: true };
        if (config is LlamaConfig)
        {
            // Old checkpoints carry the rotary frequencies, which follow from the shape, and some a head tied to the embedding.
            return name => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) || (tied && name == "lm_head.weight") ? null : name;
        }
        // Old checkpoints carry the causal mask, and those of the model without its head lack the prefix.
        return name => name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal) ? null
            : name == "lm_head.weight" ? tied ? null : name
            : name.StartsWith("transformer.", StringComparison.Ordinal) ? name : "transformer." + name;
    }

    private static ScalarType StoredType(WeightFiles files) => files.Entries.Where(e => e.Type.IsFloatingPoint)
        .GroupBy(e => e.Type.Torch).OrderByDescending(g => g.Sum(e => e.Bytes)).Select(g => (ScalarType?)g.Key).FirstOrDefault() ?? ScalarType.Float32;
}
