// Shapes: B samples, T time, P inputs, D outputs
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Bounds the squared norm of each sample's gradient of linear layers, from Gram tiles that never leave the chip (gram_norm_sm90.cu).</summary>
public sealed class GramNorm
{
    /// <summary>Layers that may share their input, and its Gram tiles.</summary>
    public const int MostGradients = 3;

    private const string File = "gram_norm_sm90.cu";
    private const int Tile = 128, Slab = 64, Stages = 7, Threads = 384, BoundThreads = 128, Sums = 5;
    private const int SharedBytes = (Stages * 2 * Tile * Slab * 2) + 1024;

    // A tensor core adds 16 exact products to the sum at once and may cut what lies 2^-22 below the largest of them: an error of
    // that much of the sizes added, for each 16 columns. Not NVIDIA's word, so there is a factor of two in it.
    private const double ErrorOfSixteen = 2.0 / (1 << 22);

    private readonly CudaDevice _device;
    private readonly CudaKernel _norm;
    private readonly CudaKernel _bound;

    /// <exception cref="CudaException">The device is not a Hopper GPU, or the kernel does not compile.</exception>
    public GramNorm(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Capability.Major != 9)
            throw new CudaException($"this kernel is for compute capability 9.0 (Hopper), the device has {device.Capability.Major}.{device.Capability.Minor}");
        _device = device;
        _norm = CudaKernel.Of(device, File, "gram_norm_sm90", ownArchitecture: true);
        _norm.AllowShared(SharedBytes);
        _bound = CudaKernel.Of(device, File, "gram_norm_bound", ownArchitecture: true);
    }

    /// <summary>Whether the copy engine reads such a tensor: bfloat16 [B, T, K], contiguous, K a multiple of 8.</summary>
    public static bool Takes(Tensor tensor) => tensor.dtype == ScalarType.BFloat16 && tensor.dim() == 3 && tensor.shape[2] % 8 == 0 && tensor.is_contiguous();

    /// <summary>At least |[G1 G2 G3]_b^T X_b|_F^2 for each sample, and within its own error bound of that.</summary>
    /// <param name="x">[B, T, P], as <see cref="Takes"/> says.</param>
    /// <param name="gradients">One to three [B, T, Di], likewise.</param>
    /// <param name="bias">Whether the layers have biases: as if x had one more column, of ones.</param>
    /// <returns>float32 [B]; the caller owns it. The same bits for the same inputs and device.</returns>
    /// <exception cref="ArgumentException">A tensor has another form.</exception>
    public Tensor SquaredNormBounds(Tensor x, IReadOnlyList<Tensor> gradients, bool bias = false)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(gradients);
        if (gradients.Count is 0 or > MostGradients)
            throw new ArgumentException($"one to {MostGradients} gradients, got {gradients.Count}");
        if (gradients.FirstOrDefault(g => x.dim() != 3 || g.dim() != 3 || x.shape[0] != g.shape[0] || x.shape[1] != g.shape[1]) is { } other)
            throw new ArgumentException($"x must be [B, T, P] and g [B, T, D], got [{string.Join(", ", x.shape)}] and [{string.Join(", ", other.shape)}]");
        var (samples, rows) = ((int)x.shape[0], (int)((x.shape[1] + Tile - 1) / Tile));
        var tiles = rows * (rows + 1) / 2;
        var (whole, jobs) = Jobs(samples * tiles, _device.Multiprocessors);
        using var partial = empty(samples, tiles, 2, Sums, dtype: ScalarType.Float32, device: x.device);
        Tensor[] gs = [.. Enumerable.Range(0, MostGradients).Select(i => gradients[Math.Min(i, gradients.Count - 1)])];
        using var arguments = new KernelArguments();
        foreach (var boxRows in (int[])[Tile, Tile / 2])
        {
            arguments.AddMap(x, boxRows);
            foreach (var g in gs)
                arguments.AddMap(g, boxRows);
        }

        arguments.Add(partial).Add(tiles).Add(whole).Add(jobs).Add(Slabs(x));
        for (var i = 0; i < MostGradients; i++)
            arguments.Add(i < gradients.Count ? Slabs(gradients[i]) : 0);
        arguments.Add(bias ? 1f : 0f);
        _norm.Launch(Math.Min(jobs, _device.Multiprocessors), Threads, SharedBytes, arguments);

        var bound = empty(samples, dtype: ScalarType.Float32, device: x.device);
        using var sums = new KernelArguments();
        sums.Add(partial).Add(bound).Add(tiles).Add((float)Gamma(x.shape[2])).Add((float)Gamma(gradients.Sum(g => g.shape[2])));
        _bound.Launch(samples, BoundThreads, 0, sums);
        return bound;
    }

    /// <summary>What is left over when every multiprocessor has had its share is halved, if there are then still enough of them.</summary>
    /// <returns>Tiles that stay whole, and jobs in all.</returns>
    internal static (int Whole, int Jobs) Jobs(int tiles, int multiprocessors)
    {
        var left = tiles % multiprocessors;
        return 2 * left <= multiprocessors ? (tiles - left, tiles + left) : (tiles, tiles);
    }

    private static double Gamma(long width) => ((width + Slab - 1) / 16) * ErrorOfSixteen;

    private static int Slabs(Tensor tensor) => (int)((tensor.shape[2] + Slab - 1) / Slab);
}
