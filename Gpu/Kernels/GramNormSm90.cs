// Shapes: B samples, T time, P inputs, D outputs
using System.Collections.Concurrent;
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Bounds the squared norm of each sample's gradient of linear layers on a Hopper GPU, from Gram tiles that never leave the chip (gram_norm_sm90.cu).</summary>
public sealed class GramNormSm90
{
    private const string File = "gram_norm_sm90.cu", Name = "gram_norm_sm90";
    private const int Stages = 7, Threads = 384;
    private const int SharedBytes = (Stages * 2 * GramBound.Tile * GramBound.Slab * 2) + 1024;

    // What is left over is divided at a cost: sums are written and read. In tiles.
    private const double CostOfPart = 0.02;
    private const int MostParts = 8, SlotsOfMultiprocessor = 2;

    // By device, for the life of the process: what blocks leave for one another. Launches of one device follow one another.
    private static readonly ConcurrentDictionary<int, Lazy<(Tensor Sums, Tensor Flags)>> Exchanges = new();

    private readonly CudaDevice _device;

    /// <exception cref="CudaException">The device is not a Hopper GPU, or the kernel does not compile.</exception>
    public GramNormSm90(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Capability.Major != 9)
            throw new CudaException($"this kernel is for compute capability 9.0 (Hopper), the device has {device.Capability.Major}.{device.Capability.Minor}");
        _device = device;
        Kernel(ScalarType.BFloat16);
    }

    /// <summary>Whether the copy engine reads such a tensor: bfloat16 or float16 [B, T, K], contiguous, K a multiple of 8.</summary>
    public static bool Takes(Tensor tensor) =>
        tensor.dtype is ScalarType.BFloat16 or ScalarType.Float16 && tensor.dim() == 3 && tensor.size(2) % 8 == 0 && tensor.is_contiguous() && TensorMemory.AddressOf(tensor) % 16 == 0;

    /// <summary>At least |[G1 G2 G3]_b^T X_b|_F^2 for each sample, and within its own error bound of that.</summary>
    /// <param name="x">[B, T, P], as <see cref="Takes"/> says.</param>
    /// <param name="gradients">One to three [B, T, Di], likewise.</param>
    /// <param name="bias">Whether the layers have biases: as if x had one more column, of ones.</param>
    /// <param name="lengths">int32 [B]: rows from there on are zero in every gradient; null: all T count.</param>
    /// <returns>float32 [B]; the caller owns it. The same bits for the same inputs and device.</returns>
    /// <exception cref="ArgumentException">A tensor has another form.</exception>
    public Tensor SquaredNormBounds(Tensor x, IReadOnlyList<Tensor> gradients, bool bias = false, Tensor? lengths = null)
    {
        GramBound.Check(x, gradients);
        int samples = (int)x.size(0), rows = (int)((x.size(1) + GramBound.Tile - 1) / GramBound.Tile), tiles = rows * (rows + 1) / 2;
        var (whole, parts) = Parts(samples * tiles, Slabs(x) + gradients.Sum(Slabs), _device.Multiprocessors);
        using var partial = empty(samples, tiles, GramBound.Sums, dtype: ScalarType.Float32, device: x.device);
        var (sums, flags) = Exchanges.GetOrAdd(_device.Ordinal, _ => new(() => Exchange(x.device))).Value;
        using var arguments = new KernelArguments();
        arguments.AddMap(x, GramBound.Tile);
        for (var i = 0; i < GramBound.MostGradients; i++)
            arguments.AddMap(gradients[Math.Min(i, gradients.Count - 1)], GramBound.Tile);
        arguments.Add(partial).Add(sums).Add(flags);
        _ = lengths is null ? arguments.Add((nint)0) : arguments.Add(lengths);
        arguments.Add(samples).Add(rows).Add(parts).Add(whole).Add(Slabs(x));
        for (var i = 0; i < GramBound.MostGradients; i++)
            arguments.Add(i < gradients.Count ? Slabs(gradients[i]) : 0);
        arguments.Add(bias ? 1f : 0f);
        Kernel(x.dtype).Launch(Math.Min(_device.Multiprocessors, whole + ((samples * tiles - whole) * parts)), Threads, SharedBytes, arguments);
        return GramBound.Of(_device, partial, x.size(2), gradients.Sum(g => g.size(2)));
    }

    /// <summary>Tiles that fill all multiprocessors evenly stay whole; those left are cut into as many parts as end soonest.</summary>
    /// <param name="slabs">Of a tile: a part has at least eight.</param>
    internal static (int Whole, int Parts) Parts(int tiles, int slabs, int multiprocessors)
    {
        int left = tiles % multiprocessors, best = 1;
        double Time(int parts) => (Math.Ceiling((double)left * parts / multiprocessors) / parts) + (CostOfPart * (parts - 1));
        for (int parts = 2; parts <= MostParts && left * (parts - 1) <= SlotsOfMultiprocessor * multiprocessors && slabs / parts >= 8; parts++)
        {
            if (Time(parts) < Time(best))
                best = parts;
        }
        return left == 0 ? (tiles, 1) : (tiles - left, best);
    }

    private CudaKernel Kernel(ScalarType type)
    {
        var kernel = CudaKernel.Of(_device, File, Name, ownArchitecture: true, GramBound.Half(type));
        kernel.AllowShared(SharedBytes);
        return kernel;
    }

    private (Tensor, Tensor) Exchange(Device device) => (
        empty(SlotsOfMultiprocessor * _device.Multiprocessors, 2 * GramBound.Tile * GramBound.Tile, dtype: ScalarType.Float32, device: device).DetachFromDisposeScope(),
        zeros(SlotsOfMultiprocessor * _device.Multiprocessors, dtype: ScalarType.Int32, device: device).DetachFromDisposeScope());

    private static int Slabs(Tensor tensor) => (int)((tensor.size(2) + GramBound.Slab - 1) / GramBound.Slab);
}
