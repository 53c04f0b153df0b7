using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>What the kernels that norm samples on tensor cores share: the model of a tensor core's error, and the last step (gram_norm_bound.cu).</summary>
internal static class GramBound
{
    /// <summary>Sums of a tile: of A C, A A, C C, and the traces of A and C.</summary>
    internal const int Sums = 5;

    internal const int Tile = 128, Slab = 64;

    private const int Threads = 128;

    // A tensor core adds 16 exact products to the sum at once and may cut what lies 2^-22 below the largest of them: an error of
    // that much of the sizes added, for each 16 columns. Not NVIDIA's word, so there is a factor of two in it.
    private const double ErrorOfSixteen = 2.0 / (1 << 22);

    /// <summary>Relative to the sizes added, the error of a sum of so many products.</summary>
    internal static float Gamma(long terms) => (float)((terms + Slab - 1) / 16 * ErrorOfSixteen);

    /// <summary>Upper bounds [B] from the tiles' sums [B, tiles, 5]; the caller owns them.</summary>
    internal static Tensor Of(CudaDevice device, Tensor partial, long inSize, long outSize)
    {
        var bound = empty(partial.size(0), dtype: ScalarType.Float32, device: partial.device);
        using var arguments = new KernelArguments();
        arguments.Add(partial).Add(bound).Add((int)partial.size(1)).Add(Gamma(inSize)).Add(Gamma(outSize));
        CudaKernel.Of(device, "gram_norm_bound.cu", "gram_norm_bound").Launch((int)partial.size(0), Threads, 0, arguments);
        return bound;
    }

    /// <exception cref="ArgumentException">x and the gradients do not fit together.</exception>
    internal static void Check(Tensor x, IReadOnlyList<Tensor> gradients)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(gradients);
        if (gradients.Count is 0 or > MostGradients)
            throw new ArgumentException($"one to {MostGradients} gradients, got {gradients.Count}");
        if (gradients.FirstOrDefault(g => x.dim() != 3 || g.dim() != 3 || x.size(0) != g.size(0) || x.size(1) != g.size(1) || x.dtype != g.dtype) is { } other)
            throw new ArgumentException($"x must be [B, T, P] and g [B, T, D] of one type, got {x.dtype} [{string.Join(", ", x.shape)}] and {other.dtype} [{string.Join(", ", other.shape)}]");
    }

    /// <summary>Layers that may share their input, and its Gram tiles.</summary>
    internal const int MostGradients = 3;

    internal static (string, int) Half(ScalarType type) => ("HALF", type == ScalarType.Float16 ? 1 : 0);
}
