// Shapes: B samples, T time, V vocabulary, C channels, I inner width, L layers, NH heads, KVH key/value heads, HS head size
using System.Globalization;
using Chorus.Gpu.Models;

namespace Chorus.Gpu.DpSgd;

/// <summary>What a training will need on each device, in bytes, from its shape alone.</summary>
/// <remarks>
/// Weights, sums and optimizer are exact. Activations are what the backward pass reads again, counted tensor by tensor for the layers of Chorus.Gpu.Models (docs/scaling.md);
/// the workspace is what was seen beyond that: the CUDA context, libraries, fragments.
/// </remarks>
/// <param name="Weights">The whole model, on every rank.</param>
/// <param name="Sums">Clipped sums of all that is trained, on every rank.</param>
/// <param name="Optimizer">Its moments: a rank's slice.</param>
/// <param name="Activations">Of one micro-batch, with its logits, and what the clipping keeps.</param>
/// <param name="Workspace">An allowance.</param>
public sealed record MemoryPlan(long Weights, long Sums, long Optimizer, long Activations, long Workspace)
{
    private const long Gibibyte = 1L << 30;

    public long Total => Weights + Sums + Optimizer + Activations + Workspace;

    /// <param name="trained">Weights that are trained (<see cref="Trained"/>).</param>
    /// <param name="elementBytes">Of a weight; moments and sums are of the same type.</param>
    /// <param name="ranks">Among which the optimizer is divided.</param>
    /// <param name="gpu">Whether it is for a GPU.</param>
    public static MemoryPlan Of(CausalShape shape, long trained, int elementBytes, DpSgdSettings s, int ranks, bool gpu)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(s);
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        int moments = s.Optimizer == DpOptimizer.AdamW ? 2 : s.Momentum != 0 ? 1 : 0;
        double tokens = (double)s.PhysicalBatch * s.SequenceLength, c = shape.HiddenSize, i = shape.IntermediateSize, v = shape.VocabularySize;
        double query = (double)shape.Heads * shape.HeadSize, keyValue = (double)shape.KeyValueHeads * shape.HeadSize;
        // Both norms' inputs and outputs; query, key, value and mix as attention keeps them, and the mix again as its projection reads it; the feed-forward layer:
        // gate, silu(gate), up and their product, or GELU's input and output.
        double layer = shape.Family == "gpt2" ? (4 * c) + (5 * c) + (2 * i) : (4 * c) + (3 * query) + (2 * keyValue) + (4 * i);
        // Logits in the model's type and in float32, and log-probabilities; in the backward pass no more than these.
        double head = (tokens * v * (elementBytes + 8)) + (2 * tokens * c * elementBytes);
        double kept = s.Method switch
        {
            DpMethod.Explicit => (double)trained * s.PhysicalBatch * elementBytes,
            DpMethod.None or DpMethod.Ghost => 0,
            // Every layer's output gradients, until the norm of all is known.
            _ when s.Clipping.Kind == ClippingKind.Flat || s.Method == DpMethod.BookKeeping => shape.Layers * tokens * (query + (2 * keyValue) + (2 * c) + (2 * i)) * elementBytes,
            _ => 0,
        };
        double activations = (shape.Layers * layer * tokens * elementBytes) + head + kept;
        return new MemoryPlan(
            shape.ParameterCount * elementBytes, trained * elementBytes, Divided(trained * elementBytes, ranks) * moments, (long)activations,
            (long)((gpu ? 1.5 * Gibibyte : Gibibyte / 8) + (0.05 * activations)));
    }

    /// <summary>How many weights are trained, up to biases.</summary>
    /// <param name="linearOnly">The layers' linear weights alone.</param>
    /// <param name="loraRank">A LoRA adapter of this rank on every linear layer but the head; null for none.</param>
    public static long Trained(CausalShape shape, bool linearOnly, int? loraRank)
    {
        ArgumentNullException.ThrowIfNull(shape);
        long c = shape.HiddenSize, i = shape.IntermediateSize, query = (long)shape.Heads * shape.HeadSize, keyValue = (long)shape.KeyValueHeads * shape.HeadSize;
        (long In, long Out)[] layer = shape.Family == "gpt2"
            ? [(c, 3 * c), (c, c), (c, i), (i, c)]
            : [(c, query), (c, keyValue), (c, keyValue), (query, c), (c, i), (c, i), (i, c)];
        if (loraRank is { } rank)
            return shape.Layers * layer.Sum(l => rank * (l.In + l.Out));
        return linearOnly ? shape.Layers * layer.Sum(l => l.In * l.Out) : shape.ParameterCount;
    }

    /// <summary>The figures in one line.</summary>
    public override string ToString() =>
        $"{Size(Total)}: weights {Size(Weights)}, sums {Size(Sums)}, optimizer {Size(Optimizer)}, activations {Size(Activations)}, workspace {Size(Workspace)}";

    /// <summary>What is wrong where it does not fit; null where it does.</summary>
    /// <param name="available">Bytes that the device has for it; null is not known, and then nothing is said.</param>
    /// <param name="device">For the message.</param>
    /// <param name="ranks">As the plan was made for.</param>
    public string? Refusal(long? available, string device, int ranks) => available is { } free && Total > free
        ? $"{device} has {Size(free)} free, and each of {ranks} ranks needs {this}: a smaller --batch or --seq has fewer activations, more devices divide the optimizer's part, --dtype bfloat16 halves float32"
        : null;

    private static string Size(long bytes) => bytes >= 1L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.00} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MiB");

    private static long Divided(long bytes, int ranks) => (bytes + ranks - 1) / ranks;
}
