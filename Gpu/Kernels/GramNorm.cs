// Shapes: B samples, T time, P inputs, D outputs
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>The squared norm of each sample's gradient of a linear layer, from Gram tiles that never leave the chip (gram_norm_sm90.cu).</summary>
public sealed class GramNorm
{
    private const int Tile = 128, Slab = 64, Stages = 7, Threads = 384;
    private const int SharedBytes = (Stages * 2 * Tile * Slab * 2) + 1024;

    private readonly CudaDevice _device;
    private readonly CudaKernel _kernel;

    /// <exception cref="CudaException">The device is not a Hopper GPU, or the kernel does not compile.</exception>
    public GramNorm(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Capability.Major != 9)
            throw new CudaException($"this kernel is for compute capability 9.0 (Hopper), the device has {device.Capability.Major}.{device.Capability.Minor}");
        _device = device;
        _kernel = CudaKernel.Of(device, "gram_norm_sm90.cu", "gram_norm_sm90", ownArchitecture: true);
        _kernel.AllowShared(SharedBytes);
    }

    /// <summary>|G_b^T X_b|_F^2 for each sample, in float32, with the rounding errors of its sums.</summary>
    /// <param name="x">bfloat16 [B, T, P], contiguous, P a multiple of 8.</param>
    /// <param name="g">bfloat16 [B, T, D], contiguous, D a multiple of 8.</param>
    /// <returns>float32 [B]; the caller owns it. The same bits for the same inputs and device.</returns>
    /// <exception cref="ArgumentException">A tensor has another form.</exception>
    public Tensor SquaredNorms(Tensor x, Tensor g)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(g);
        if (x.dim() != 3 || g.dim() != 3 || x.shape[0] != g.shape[0] || x.shape[1] != g.shape[1])
            throw new ArgumentException($"x must be [B, T, P] and g [B, T, D], got [{string.Join(", ", x.shape)}] and [{string.Join(", ", g.shape)}]");
        var (samples, rows) = ((int)x.shape[0], (int)((x.shape[1] + Tile - 1) / Tile));
        var tiles = rows * (rows + 1) / 2;
        var (whole, jobs) = Jobs(samples * tiles, _device.Multiprocessors);
        using var partial = empty(samples, tiles, 2, dtype: ScalarType.Float32, device: x.device);
        using var arguments = new KernelArguments();
        arguments.AddMap(x, Tile).AddMap(g, Tile).AddMap(x, Tile / 2).AddMap(g, Tile / 2).Add(partial)
            .Add(tiles).Add(whole).Add(jobs).Add(Slabs(x.shape[2])).Add(Slabs(g.shape[2]));
        _kernel.Launch(Math.Min(jobs, _device.Multiprocessors), Threads, SharedBytes, arguments);
        return partial.sum([1L, 2L]);
    }

    /// <summary>What is left over when every multiprocessor has had its share is halved, if there are then still enough of them.</summary>
    /// <returns>Tiles that stay whole, and jobs in all.</returns>
    internal static (int Whole, int Jobs) Jobs(int tiles, int multiprocessors)
    {
        var left = tiles % multiprocessors;
        return 2 * left <= multiprocessors ? (tiles - left, tiles + left) : (tiles, tiles);
    }

    private static int Slabs(long width) => (int)((width + Slab - 1) / Slab);
}
