// Shapes: B samples, T time, P inputs, D outputs
using System.Runtime.InteropServices;
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Bounds the squared norm of each sample's gradient of linear layers on tensor cores of compute capability 8.0 and later, for any shape (sample_norms_sm80.cu).</summary>
public sealed class SampleNormsSm80
{
    private const string File = "sample_norms_sm80.cu";
    private const int Threads = 256, Stages = 3, BoundThreads = 128, RowsOfBlock = 8;
    private const int SharedBytes = Stages * 2 * GramBound.Tile * GramBound.Slab * 2;

    private readonly CudaDevice _device;

    /// <exception cref="CudaException">The device is older.</exception>
    public SampleNormsSm80(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Capability.Major < 8)
            throw new CudaException($"this kernel needs compute capability 8.0, the device has {device.Capability.Major}.{device.Capability.Minor}");
        _device = device;
    }

    /// <summary>Whether it is bfloat16 or float16 [B, T, K], contiguous.</summary>
    public static bool Takes(Tensor tensor) => tensor.dtype is ScalarType.BFloat16 or ScalarType.Float16 && tensor.dim() == 3 && tensor.is_contiguous();

    /// <summary>From the Gram tiles, on and below the diagonal: as <see cref="GramNormSm90.SquaredNormBounds"/>.</summary>
    public Tensor ByGram(Tensor x, IReadOnlyList<Tensor> gradients, bool bias = false, Tensor? lengths = null)
    {
        GramBound.Check(x, gradients);
        int samples = (int)x.size(0), rows = (int)((x.size(1) + GramBound.Tile - 1) / GramBound.Tile), tiles = rows * (rows + 1) / 2;
        using var partial = empty(samples, tiles, GramBound.Sums, dtype: ScalarType.Float32, device: x.device);
        using var arguments = new KernelArguments();
        arguments.Add(x).Add(new Gradients(gradients)).Add(partial);
        AddLengths(arguments, lengths);
        arguments.Add(tiles).Add((int)x.size(1)).Add((int)x.size(2)).Add(bias ? 1f : 0f).Add(Wide(x)).Add(gradients.All(g => Wide(g) == 1) ? 1 : 0);
        Kernel(x, "gram_norm").Launch(samples * tiles, Threads, SharedBytes, arguments);
        return GramBound.Of(_device, partial, x.size(2), gradients.Sum(g => g.size(2)));
    }

    /// <summary>From the tiles of the gradients themselves, made, squared, summed and dropped.</summary>
    public Tensor Direct(Tensor x, IReadOnlyList<Tensor> gradients, bool bias = false, Tensor? lengths = null)
    {
        GramBound.Check(x, gradients);
        using var scope = NewDisposeScope();
        int samples = (int)x.size(0), time = (int)x.size(1), tilesIn = Tiles(x);
        int all = gradients.Sum(g => Tiles(g) * tilesIn), offset = 0;
        var partial = empty(samples, all, dtype: ScalarType.Float32, device: x.device);
        foreach (var g in gradients)
        {
            using var arguments = new KernelArguments();
            arguments.Add(x).Add(g).Add(partial);
            AddLengths(arguments, lengths);
            arguments.Add(Tiles(g)).Add(tilesIn).Add(all).Add(offset).Add(time).Add((int)x.size(2)).Add((int)g.size(2)).Add(Wide(x)).Add(Wide(g));
            Kernel(x, "direct_norm").Launch(samples * Tiles(g) * tilesIn, Threads, SharedBytes, arguments);
            offset += Tiles(g) * tilesIn;
        }
        var gNorms = empty(gradients.Count, samples, time, dtype: ScalarType.Float32, device: x.device);
        for (var i = 0; i < gradients.Count; i++)
            RowNorms(gradients[i], gNorms[i]);
        var xNorms = empty(samples, time, dtype: ScalarType.Float32, device: x.device);
        RowNorms(x, xNorms);
        var bound = empty(samples, dtype: ScalarType.Float32, device: x.device);
        using var last = new KernelArguments();
        last.Add(partial).Add(xNorms).Add(gNorms);
        // A bias' gradient is a sum of rows; in float64 its own error is none.
        _ = bias ? last.Add(BiasSquares(gradients)) : last.Add((nint)0);
        last.Add(bound).Add(all).Add(time).Add(gradients.Count).Add(samples).Add(GramBound.Gamma(time));
        CudaKernel.Of(_device, File, "direct_norm_bound").Launch(samples, BoundThreads, 0, last);
        return bound.MoveToOuterDisposeScope();
    }

    private static Tensor BiasSquares(IReadOnlyList<Tensor> gradients) =>
        gradients.Select(g => g.sum([1L], type: ScalarType.Float64).square().sum([1L])).Aggregate((a, b) => a + b).to_type(ScalarType.Float32);

    private void RowNorms(Tensor matrix, Tensor norms)
    {
        using var arguments = new KernelArguments();
        long rows = matrix.size(0) * matrix.size(1);
        arguments.Add(matrix).Add(norms).Add(rows).Add((int)matrix.size(2));
        CudaKernel.Of(_device, File, "row_norms", ownArchitecture: false, GramBound.Half(matrix.dtype)).Launch((int)((rows + RowsOfBlock - 1) / RowsOfBlock), Threads, 0, arguments);
    }

    private CudaKernel Kernel(Tensor x, string name)
    {
        var kernel = CudaKernel.Of(_device, File, name, ownArchitecture: false, GramBound.Half(x.dtype));
        kernel.AllowShared(SharedBytes);
        return kernel;
    }

    private static void AddLengths(KernelArguments arguments, Tensor? lengths) => _ = lengths is null ? arguments.Add((nint)0) : arguments.Add(lengths);

    private static int Tiles(Tensor tensor) => (int)((tensor.size(2) + GramBound.Tile - 1) / GramBound.Tile);

    private static int Wide(Tensor tensor) => tensor.size(2) % 8 == 0 && TensorMemory.AddressOf(tensor) % 16 == 0 ? 1 : 0;

    /// <summary>The kernel's struct Gradients.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Gradients(IReadOnlyList<Tensor> gs)
    {
        private readonly nint _g0 = TensorMemory.AddressOf(gs[0]), _g1 = gs.Count > 1 ? TensorMemory.AddressOf(gs[1]) : 0, _g2 = gs.Count > 2 ? TensorMemory.AddressOf(gs[2]) : 0;
        private readonly int _width0 = (int)gs[0].size(2), _width1 = gs.Count > 1 ? (int)gs[1].size(2) : 0, _width2 = gs.Count > 2 ? (int)gs[2].size(2) : 0;
        private readonly int _count = gs.Count;
    }
}
