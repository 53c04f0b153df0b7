using Chorus.Gpu.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Encoders;

/// <summary>Reads the weights of one part of a sentence encoder.</summary>
internal static class EncoderWeights
{
    /// <param name="directory">Holds model.safetensors, or shards and their index.</param>
    /// <param name="shapes">The weights that are wanted.</param>
    /// <param name="rename">From a name in the file to that of a weight; null drops the tensor.</param>
    /// <param name="model">What is loaded, for messages.</param>
    /// <returns>A tensor for each of <paramref name="shapes"/>, which the caller owns.</returns>
    /// <exception cref="InvalidDataException">A file is missing; a tensor is missing, unknown, there twice or of another shape. The message names it.</exception>
    internal static Dictionary<string, Tensor> Read(
        string directory, torch.Device device, ScalarType type, IReadOnlyDictionary<string, long[]> shapes, Func<string, string?> rename, string model)
    {
        var weights = shapes.ToDictionary(s => s.Key, s => empty(s.Value, dtype: type, device: device).DetachFromDisposeScope(), StringComparer.Ordinal);
        try
        {
            using var files = WeightFiles.Open(directory);
            files.CopyTo(weights, rename, model);
            return weights;
        }
        catch (Exception e)
        {
            foreach (var weight in weights.Values)
                weight.Dispose();
            if (e is FileNotFoundException)
                throw new InvalidDataException(e.Message, e);
            throw;
        }
    }
}
