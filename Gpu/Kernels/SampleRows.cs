// Shapes: B samples, N numbers in a row
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Chorus.Gpu.Cuda;
using static Chorus.Gpu.Kernels.NumberTypes;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Norms and weighted sums of per-sample gradients that are in memory as they are, and samples times their factors (sample_rows.cu).</summary>
public sealed class SampleRows(CudaDevice device)
{
    /// <summary>Tensors that one call of <see cref="Weighted"/> sets to zero where a factor is.</summary>
    public const int MostOthers = 3;

    /// <summary>Matrices of one call.</summary>
    public const int MostMatrices = 4;

    private const string File = "sample_rows.cu";
    private const int Threads = 256, BlocksPerMultiprocessor = 8, MostSamples = 1 << 16;

    // By device, for the life of the process: counters that are 0 between launches, which follow one another.
    private static readonly ConcurrentDictionary<int, Lazy<Tensor>> Counters = new();

    /// <summary>Whether it is contiguous, of a type that the kernels read.</summary>
    public static bool Takes(Tensor tensor) => Code(tensor.dtype) >= 0 && tensor.is_contiguous();

    /// <summary>Upper bounds on the squares of the rows' norms, over several matrices [B, Ni] together.</summary>
    /// <param name="matrices">One to four, of one type.</param>
    /// <returns>float32 [B]; the caller owns it.</returns>
    public Tensor SquaredNormBounds(params IReadOnlyList<Tensor> matrices)
    {
        ArgumentNullException.ThrowIfNull(matrices);
        int samples = (int)matrices[0].size(0);
        if (samples > MostSamples)
            throw new ArgumentException($"at most {MostSamples} samples, got {samples}");
        var rows = new Rows(matrices, null, n => Parts(n, device.Multiprocessors * BlocksPerMultiprocessor / samples));
        using var pieces = empty(samples, rows.Parts, dtype: ScalarType.Float32, device: matrices[0].device);
        var result = empty(samples, dtype: ScalarType.Float32, device: matrices[0].device);
        var counters = Counters.GetOrAdd(device.Ordinal, _ => new(() => zeros(MostSamples, dtype: ScalarType.Int32, device: pieces.device).DetachFromDisposeScope())).Value;
        using var arguments = new KernelArguments();
        // A piece adds so many squares in a row and then over the block, each addition and each square off by 2^-24 of itself.
        arguments.Add(rows).Add(pieces).Add(result).Add(counters).Add((float)(1 + ((rows.MostTerms + 48) * Math.ScaleB(1, -23))));
        Kernel("square_rows", matrices[0], 0).Launch(samples * rows.Parts, Threads, 0, arguments);
        return result;
    }

    /// <summary>For each matrix, sum [N] = (accumulate ? sum : 0) + sum_b factors_b rows_b; a sample with factor 0 adds exactly nothing.</summary>
    /// <param name="matrices">One to four; rows of one type, sums of one type.</param>
    public void AddWeighted(IReadOnlyList<(Tensor Rows, Tensor Sum, bool Accumulate)> matrices, Tensor factors)
    {
        ArgumentNullException.ThrowIfNull(matrices);
        var rows = new Rows([.. matrices.Select(m => m.Rows)], matrices, n => Parts(n, device.Multiprocessors * BlocksPerMultiprocessor));
        using var arguments = new KernelArguments();
        arguments.Add(rows).Add(factors).Add((int)matrices[0].Rows.size(0));
        Kernel("weigh_rows", matrices[0].Rows, Code(matrices[0].Sum.dtype)).Launch(rows.Parts, Threads, 0, arguments);
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
        int samples = (int)x.size(0), pieces = Math.Max(1, device.Multiprocessors * BlocksPerMultiprocessor / samples);
        long n = x.numel() / samples;
        bool wide = Wide(x, n) && Wide(result, n) && others.All(o => Wide(o, o.numel() / samples));
        using var arguments = new KernelArguments();
        arguments.Add(x).Add(factors).Add(result).Add(n).Add(new Others(others, samples)).Add(pieces).Add(wide ? 1 : 0);
        Kernel("weigh_samples", x, 0).Launch(samples * pieces, Threads, 0, arguments);
        return result;
    }

    private CudaKernel Kernel(string name, Tensor rows, int sum) => CudaKernel.Of(device, File, name, ownArchitecture: false, ("ROW", Code(rows.dtype)), ("GRADIENT", sum));

    private static int Parts(long n, int most) => (int)Math.Clamp((n + (Threads * VectorElements) - 1) / (Threads * VectorElements), 1, Math.Max(1, most));

    [InlineArray(MostMatrices)]
    private struct Four<T>
    {
        private T _first;
    }

    [InlineArray(MostMatrices + 1)]
    private struct Five<T>
    {
        private T _first;
    }

    /// <summary>The kernel's struct Rows.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Rows
    {
        private readonly Four<nint> _p, _to;
        private readonly Four<long> _n;
        private readonly Five<int> _first;
        private readonly Four<int> _accumulate, _wide;
        private readonly int _count;

        public Rows(IReadOnlyList<Tensor> matrices, IReadOnlyList<(Tensor Rows, Tensor Sum, bool Accumulate)>? sums, Func<long, int> parts)
        {
            if (matrices.Count is 0 or > MostMatrices)
                throw new ArgumentException($"one to {MostMatrices} matrices, got {matrices.Count}");
            _count = matrices.Count;
            for (int k = 0; k < _count; k++)
            {
                _p[k] = TensorMemory.AddressOf(matrices[k]);
                _to[k] = sums is null ? 0 : TensorMemory.AddressOf(sums[k].Sum);
                _n[k] = matrices[k].numel() / matrices[k].size(0);
                _accumulate[k] = sums is not null && sums[k].Accumulate ? 1 : 0;
                _wide[k] = Wide(matrices[k], _n[k]) && _to[k] % 16 == 0 ? 1 : 0;
                _first[k + 1] = _first[k] + parts(_n[k]);
            }
        }

        public int Parts => _first[_count];

        /// <summary>The most numbers that a thread goes through.</summary>
        public double MostTerms
        {
            get
            {
                double most = 0;
                for (int k = 0; k < _count; k++)
                    most = Math.Max(most, Math.Ceiling((double)_n[k] / ((_first[k + 1] - _first[k]) * Threads * VectorElements)) * VectorElements);
                return most;
            }
        }
    }

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
