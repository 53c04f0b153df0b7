using System.Text.Json;
using Chorus.Gpu.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Encoders;

/// <summary>Reads the weights of one part of a sentence encoder and checks names and shapes.</summary>
internal static class EncoderWeights
{
    private const string WholeFile = "model.safetensors", IndexFile = "model.safetensors.index.json";

    /// <param name="directory">Holds model.safetensors, or shards and their index.</param>
    /// <param name="shapes">The weights that are wanted.</param>
    /// <param name="rename">From a name in the file to that of a weight; null drops the tensor.</param>
    /// <param name="model">What is loaded, for messages.</param>
    /// <returns>A tensor for each of <paramref name="shapes"/>, which the caller owns.</returns>
    /// <exception cref="InvalidDataException">A tensor is missing, unknown, there twice or of another shape; the message names it.</exception>
    internal static Dictionary<string, Tensor> Read(
        string directory, torch.Device device, ScalarType type, IReadOnlyDictionary<string, long[]> shapes, Func<string, string?> rename, string model)
    {
        var weights = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var file in Files(directory))
            {
                var tensors = SafeTensors.Read(file, device, type);
                try
                {
                    foreach (var (name, tensor) in tensors.OrderBy(t => t.Key, StringComparer.Ordinal))
                    {
                        if (rename(name) is not { } slot)
                            continue;
                        if (!shapes.TryGetValue(slot, out var shape))
                            throw new InvalidDataException($"{file}: tensor {name} has no place in {model}");
                        if (!tensor.shape.AsSpan().SequenceEqual(shape))
                            throw new InvalidDataException($"{file}: tensor {name} must have shape [{string.Join(", ", shape)}], found [{string.Join(", ", tensor.shape)}]");
                        if (!tensor.is_floating_point())
                            throw new InvalidDataException($"{file}: tensor {name} must be of a floating-point type, found {tensor.dtype}");
                        if (!weights.TryAdd(slot, tensor))
                            throw new InvalidDataException($"{file}: tensor {name} is there twice");
                        tensors.Remove(name);
                    }
                }
                finally
                {
                    foreach (var unused in tensors.Values)
                        unused.Dispose();
                }
            }
            if (shapes.Keys.Where(name => !weights.ContainsKey(name)).Order(StringComparer.Ordinal).ToArray() is { Length: > 0 } missing)
                throw new InvalidDataException($"{directory}: {model} lacks {missing.Length} tensors, among them {string.Join(", ", missing.Take(3))}");
            return weights;
        }
        catch
        {
            foreach (var weight in weights.Values)
                weight.Dispose();
            throw;
        }
    }

    private static IEnumerable<string> Files(string directory)
    {
        var whole = Path.Combine(directory, WholeFile);
        if (File.Exists(whole))
            return [whole];
        var index = Path.Combine(directory, IndexFile);
        if (!File.Exists(index))
        {
            var pickled = File.Exists(Path.Combine(directory, "pytorch_model.bin"))
                ? "; pytorch_model.bin is a pickle, which can run code, and is not read: save the model once with transformers, which writes safetensors"
                : "";
            throw new InvalidDataException($"{directory} holds neither {WholeFile} nor {IndexFile}{pickled}");
        }
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(index));
            var names = json.RootElement.GetProperty("weight_map").EnumerateObject().Select(t => t.Value.GetString() ?? "").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
            return Array.Find(names, n => Path.GetFileName(n) != n || !File.Exists(Path.Combine(directory, n))) is { } wrong
                ? throw new InvalidDataException($"the shard \"{wrong}\" is not beside it")
                : [.. names.Select(n => Path.Combine(directory, n))];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or InvalidDataException)
        {
            throw new InvalidDataException($"{index}: expected an index of safetensors shards; {e.Message}", e);
        }
    }
}
