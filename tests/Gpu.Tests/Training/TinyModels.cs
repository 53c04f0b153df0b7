using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Training;

/// <summary>A model of 2,000 weights and documents with a rule that it can learn.</summary>
internal static class TinyModels
{
    internal const int Vocabulary = 16;

    internal static LlamaConfig Config { get; } = new() { VocabularySize = Vocabulary, HiddenSize = 16, IntermediateSize = 24, Layers = 1, Heads = 2, MaxLength = 24 };

    internal static LlamaModel New(ulong seed = 1) => new(Config, seed, CPU);

    /// <summary>Documents of 12 tokens that go up by <paramref name="stride"/> in the ring 1..15, then the end token 0.</summary>
    internal static int[][] Rings(int count, int stride, int first = 0) =>
        [.. Enumerable.Range(first, count).Select(d => (int[])[.. Enumerable.Range(0, 12).Select(t => 1 + (d + t * stride) % 15), 0])];
}
