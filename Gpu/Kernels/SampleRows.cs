// Shapes: B samples, N numbers in a row
using System.Runtime.InteropServices;
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;
using static Chorus.Gpu.Kernels.NumberTypes;

namespace Chorus.Gpu.Kernels;

/// <summary>Norms and weighted sums of per-sample gradients that are in memory as they are, and samples times their factors (sample_rows.cu).</summary>
public sealed class SampleRows(CudaDevice device)
{
    private const string File = "sample_rows.cu";
    private const int Threads = 256, BlocksPerMultiprocessor = 8, WarpThreads = 32;

    /// <summary>Tensors that one call sets to zero where a factor is.</summary>
    public const int MostOthers = 3;

    /// <summary>Whether it is contiguous, of a type that the kernels read.</summary>
    public static bool Takes(Tensor tensor) => Code(tensor.dtype) >= 0 && tensor.is_contiguous();

    /// <summary>Upper bounds on the squares of the rows' norms, over several matrices [B, Ni] together.</summary>
    /// <returns>float32 [B]; the caller owns it.</returns>
    public Tensor SquaredNormBounds(params IReadOnlyList<Tensor> matrices)
    {
        ArgumentNullException.ThrowIfNull(matrices);
        int samples = (int)matrices[0].shape[0];
        int[] pieces = [.. matrices.Select(m => Pieces(m.numel() / samples, samples))];
        int all = pieces.Sum(), offset = 0;
        double terms = 0;
        using var sums = empty(samples, all, dtype: ScalarType.Float32, device: matrices[0].device);
        for (var i = 0; i < matrices.Count; i++)
        {
            using var arguments = new KernelArguments();
            long n = matrices[i].numel() / samples;
            arguments.Add(matrices[i]).Add(sums).Add(n).Add(pieces[i]).Add(all).Add(offset).Add(Wide(matrices[i], n) ? 1 : 0);
            Kernel("square_rows", matrices[i]).Launch(samples * pieces[i], Threads, 0, arguments);
            offset += pieces[i];
            terms = Math.Max(terms, Math.Ceiling((double)n / (pieces[i] * Threads * VectorElements)) * VectorElements);
        }
        var result = empty(samples, dtype: ScalarType.Float32, device: matrices[0].device);
        using var last = new KernelArguments();
        // A piece adds that many squares in a row and then over the block, each addition and each square off by 2^-24 of itself.
        last.Add(sums).Add(result).Add(all).Add((float)(1 + (terms + 48) * Math.ScaleB(1, -23)));
        CudaKernel.Of(device, File, "add_pieces", ownArchitecture: false, "ROW=0", "GRADIENT=0").Launch(samples, WarpThreads, 0, last);
        return result;
    }

    /// <summary>gradient [N] = (accumulate ? gradient : 0) + sum_b factors_b rows_b; a sample with factor 0 adds exactly nothing.</summary>
    public void AddWeighted(Tensor rows, Tensor factors, Tensor gradient, bool accumulate)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(gradient);
        long n = gradient.numel();
        using var arguments = new KernelArguments();
        arguments.Add(rows).Add(factors).Add(gradient).Add(n).Add((int)rows.shape[0]).Add(accumulate ? 1 : 0).Add(Wide(rows, n) && Wide(gradient, n) ? 1 : 0);
        CudaKernel.Of(device, File, "weigh_rows", ownArchitecture: false, $"ROW={Code(rows.dtype)}", $"GRADIENT={Code(gradient.dtype)}").Launch(Blocks(n), Threads, 0, arguments);
    }

    /// <summary>c_b x_b, rounded to x's type; where c_b is 0 the sample's rows are 0, and those of the others are set to 0 in place.</summary>
    /// <param name="x">[B, ...].</param>
    /// <param name="factors">float32 [B].</param>
    /// <param name="others">What x is to be multiplied with, at most three, of x's type.</param>
    /// <returns>Like x; the caller owns it.</returns>
    public Tensor Weighted(Tensor x, Tensor factors, params IReadOnlyList<Tensor> others)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(others);
        var result = empty_like(x);
        int samples = (int)x.shape[0], pieces = Math.Max(1, device.Multiprocessors * BlocksPerMultiprocessor / samples);
        long n = x.numel() / samples;
        bool wide = Wide(x, n) && Wide(result, n) && others.All(o => Wide(o, o.numel() / samples));
        using var arguments = new KernelArguments();
        arguments.Add(x).Add(factors).Add(result).Add(n).Add(new Others(others, samples)).Add(pieces).Add(wide ? 1 : 0);
        Kernel("weigh_samples", x).Launch(samples * pieces, Threads, 0, arguments);
        return result;
    }

    private CudaKernel Kernel(string name, Tensor rows) => CudaKernel.Of(device, File, name, ownArchitecture: false, $"ROW={Code(rows.dtype)}", "GRADIENT=0");

    private int Pieces(long n, int samples) =>
        (int)Math.Clamp(device.Multiprocessors * BlocksPerMultiprocessor / samples, 1, Math.Max(1, (n + (Threads * VectorElements) - 1) / (Threads * VectorElements)));

    private int Blocks(long n) => (int)Math.Clamp((n + (Threads * VectorElements) - 1) / (Threads * VectorElements), 1, (long)device.Multiprocessors * BlocksPerMultiprocessor);

    /// <summary>The kernel's struct Others.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Others(IReadOnlyList<Tensor> others, int samples)
    {
        private readonly nint _p0 = At(others, 0), _p1 = At(others, 1), _p2 = At(others, 2);
        private readonly long _n0 = Size(others, 0, samples), _n1 = Size(others, 1, samples), _n2 = Size(others, 2, samples);
        private readonly int _count = others.Count;

        private static nint At(IReadOnlyList<Tensor> others, int i) => i < others.Count ? TensorMemory.AddressOf(others[i]) : 0;

        private static long Size(IReadOnlyList<Tensor> others, int i, int samples) => i < others.Count ? others[i].numel() / samples : 0;
    }
}
