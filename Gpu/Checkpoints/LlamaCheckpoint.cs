using System.Text.Json;
using Chorus.Gpu.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>Llama models as Hugging Face keeps them: config.json and model.safetensors, whole or in shards.</summary>
public static class LlamaCheckpoint
{
    private const string ConfigFile = "config.json", WeightsFile = "model.safetensors", IndexFile = "model.safetensors.index.json";

    /// <summary>Writes config.json and model.safetensors; each file is replaced at once, the weights first.</summary>
    /// <param name="m">Its parameters are written under their own names; a LoRA branch is no part of them.</param>
    /// <param name="directory">Made where missing.</param>
    /// <param name="endToken">The id that ends a document, for other programs; null leaves it open.</param>
    public static void Save(LlamaModel m, string directory, int? endToken = null)
    {
        ArgumentNullException.ThrowIfNull(m);
        var weights = m.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter, StringComparer.Ordinal);
        SafeTensors.Write(Path.Combine(directory, WeightsFile), weights, new Dictionary<string, string> { ["format"] = "pt" });
        LlamaConfigJson.Write(Path.Combine(directory, ConfigFile), m.Config, endToken);
    }

    /// <summary>Reads a model to the device, its weights as float32.</summary>
    /// <returns>A model that the caller owns.</returns>
    /// <exception cref="FileNotFoundException">A file is missing; the message names it.</exception>
    /// <exception cref="InvalidDataException">Another architecture, or weights that do not fit the shape; the message names them.</exception>
    public static LlamaModel Load(string directory, torch.Device device)
    {
        var config = LlamaConfigJson.Read(Existing(directory, ConfigFile));
        var model = new LlamaModel(config, 0, device);
        try
        {
            using var noGrad = no_grad();
            var wanted = model.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter, StringComparer.Ordinal);
            foreach (var file in WeightFiles(directory))
                Fill(wanted, file, device, config);
            if (wanted.Count > 0)
                throw new InvalidDataException($"{directory}: the checkpoint lacks {wanted.Count} tensors, among them {string.Join(", ", wanted.Keys.Order(StringComparer.Ordinal).Take(3))}");
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    // Copies one file's tensors into the parameters of their names and strikes these from the list of the wanted.
    private static void Fill(Dictionary<string, Tensor> wanted, string file, torch.Device device, LlamaConfig config)
    {
        var tensors = SafeTensors.Read(file, device, ScalarType.Float32);
        try
        {
            foreach (var (name, tensor) in tensors.OrderBy(t => t.Key, StringComparer.Ordinal))
            {
                if (!wanted.Remove(name, out var parameter))
                {
                    // Old checkpoints carry the rotary frequencies, which follow from the shape, and some a head tied to the embedding.
                    if (name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) || (name == "lm_head.weight" && config.TieEmbeddings))
                        continue;
                    throw new InvalidDataException($"{file}: tensor {name} has no place in a model of {config.Layers} layers, or is there twice");
                }
                if (!tensor.shape.AsSpan().SequenceEqual(parameter.shape))
                    throw new InvalidDataException($"{file}: tensor {name} must have shape [{string.Join(", ", parameter.shape)}] by {ConfigFile}, found [{string.Join(", ", tensor.shape)}]");
                parameter.copy_(tensor);
            }
        }
        finally
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
        }
    }

    private static IEnumerable<string> WeightFiles(string directory)
    {
        if (File.Exists(Path.Combine(directory, WeightsFile)))
            return [Path.Combine(directory, WeightsFile)];
        var index = Existing(directory, IndexFile, $"{WeightsFile} nor {IndexFile}");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(index));
            var names = json.RootElement.GetProperty("weight_map").EnumerateObject().Select(t => t.Value.GetString() ?? "").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
            if (names.FirstOrDefault(n => n.Length == 0 || Path.GetFileName(n) != n) is { } wrong)
                throw new InvalidDataException($"a shard must be a file beside the index, found \"{wrong}\"");
            return [.. names.Select(name => Existing(directory, name))];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or InvalidDataException)
        {
            throw new InvalidDataException($"{index}: expected an index of safetensors shards; {e.Message}", e);
        }
    }

    private static string Existing(string directory, string name, string? missing = null)
    {
        var path = Path.Combine(directory, name);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{directory} holds {(missing is null ? "no " + name : "neither " + missing)}; expected a Llama checkpoint in Hugging Face layout", path);
    }
}
