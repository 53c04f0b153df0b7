// Shapes: B samples, T time, P inputs, D outputs
using Chorus.Gpu.Cuda;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Runtime;
using static TorchSharp.torch;

namespace Chorus.Benchmarks;

/// <summary>
/// One linear layer by itself against T, B and its size: forward product and both backward products, beside the same with each sample's norm and clip factor; in turns in one process.
/// The floor is what the arithmetic of the cheaper norm would leave of the ratio if it ran at the rate of the products.
/// </summary>
internal static class LayerBenchmark
{
    private const int Repeats = 21, CallsOfRepeat = 4;

    private static readonly (int P, int D)[] Layers = [(768, 768), (768, 3072), (1280, 5120), (4096, 4096), (5120, 5120), (5120, 13824)];
    private static readonly (int B, int T)[] Batches = [(64, 64), (32, 128), (16, 256), (8, 512), (2, 1024), (8, 1024), (16, 1024), (8, 2048), (4, 4096)];

    public static int Run()
    {
        TorchRuntime.Prepare();
        if (!CudaDevice.KernelsAvailable || !cuda_is_available())
        {
            Console.Error.WriteLine("needs a GPU with the CUDA driver, NVRTC and a libtorch with CUDA");
            return 1;
        }
        var kernels = new CudaDpKernels(CudaDevice.Of(0));
        Console.WriteLine("| P | D | B | T | norm | plain, ms | private, ms | ratio | floor | memory beside weights, MiB: plain | private |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var (p, d) in Layers)
        {
            foreach (var (b, t) in Batches)
                Measure(kernels, b, t, p, d);
        }
        return 0;
    }

    private static void Measure(CudaDpKernels kernels, int b, int t, int p, int d)
    {
        using var scope = NewDisposeScope();
        var x = randn(b, t, p, dtype: ScalarType.BFloat16, device: CUDA);
        var g = randn(b, t, d, dtype: ScalarType.BFloat16, device: CUDA);
        var weight = randn(d, p, dtype: ScalarType.BFloat16, device: CUDA);
        var sum = empty_like(weight);
        var notFinite = zeros(b, dtype: ScalarType.Byte, device: CUDA);
        var keeps = kernels.Keeps(x, [g], NormMethod.Auto);
        var norm = keeps ? NormMethod.Kept : NormCost.Choose(NormMethod.Auto, t, p, d, symmetric: true);

        var (plain, dp) = InTurns(Plain, Private);
        double products = 3.0 * t * p * d, extra = keeps ? 0 : norm == NormMethod.Gram ? NormCost.Gram(t, p, d, symmetric: true) : NormCost.Direct(t, p, d);
        var (plainBytes, privateBytes) = (MemoryOf(Plain), MemoryOf(Private));
        Console.WriteLine(FormattableString.Invariant(
            $"| {p} | {d} | {b} | {t} | {norm.ToString().ToLowerInvariant()} | {1e3 * plain:0.000} | {1e3 * dp:0.000} | {plain / dp:0.000} | {products / (products + extra):0.000} | {plainBytes / 1048576.0:0} | {privateBytes / 1048576.0:0} |"));

        void Plain()
        {
            using var inner = NewDisposeScope();
            Forward();
            sum.addmm_(g.view(-1, d).t(), x.view(-1, p), beta: 0, alpha: 1);
            _ = g.view(-1, d).mm(weight);
        }

        void Private()
        {
            using var inner = NewDisposeScope();
            Forward();
            if (keeps)
            {
                var rows = kernels.SampleProducts(x, g);
                kernels.AddWeightedRows([(rows, sum.view(-1), false)], Factors(kernels.RowSquaredNorms(rows)));
            }
            else
            {
                kernels.AddWeightedGradients(x, [(g, sum, false)], Factors(kernels.SquaredNormBounds(x, [g], bias: false, lengths: null, NormMethod.Auto)));
            }
            _ = g.view(-1, d).mm(weight);
        }

        void Forward() => _ = x.view(-1, p).mm(weight.t());

        Tensor Factors(Tensor squaredNorms) => kernels.ClipFactors(squaredNorms, 1, ClipRule.Threshold, notFinite);
    }

    /// <summary>Bytes that libtorch's allocator takes from the device for a call, beyond what is there already.</summary>
    private static long MemoryOf(Action call)
    {
        CachedMemory.Release(CUDA);
        var before = PeakMemory.Bytes(CUDA) ?? 0;
        call();
        cuda.synchronize();
        return (PeakMemory.Bytes(CUDA) ?? 0) - before;
    }

    /// <summary>Median seconds of a call of each, in turns.</summary>
    private static (double First, double Second) InTurns(Action first, Action second)
    {
        var times = (First: new double[Repeats], Second: new double[Repeats]);
        _ = Seconds(first) + Seconds(second);
        for (var i = 0; i < Repeats; i++)
            (times.First[i], times.Second[i]) = (Seconds(first), Seconds(second));
        Array.Sort(times.First);
        Array.Sort(times.Second);
        return (times.First[Repeats / 2], times.Second[Repeats / 2]);

        static double Seconds(Action call)
        {
            cuda.synchronize();
            var start = System.Diagnostics.Stopwatch.GetTimestamp();
            for (var i = 0; i < CallsOfRepeat; i++)
                call();
            cuda.synchronize();
            return System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds / CallsOfRepeat;
        }
    }
}
