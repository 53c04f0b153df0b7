using System.Diagnostics;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Kernels;
using Chorus.Gpu.Runtime;
using static TorchSharp.torch;

namespace Chorus.Benchmarks;

/// <summary>The kernels that norm and sum samples beside a matrix product of torch's in the same process.</summary>
internal static class KernelBenchmark
{
    private const int Repeats = 30;

    private static readonly (int B, int T, int P, int D)[] Shapes =
    [
        (8, 512, 4096, 4096), (8, 1024, 4096, 4096), (8, 1024, 5120, 5120), (8, 1024, 5120, 13824), (8, 1024, 5120, 15360),
        (8, 2048, 5120, 5120), (8, 2048, 5120, 13824), (32, 128, 4096, 4096), (8, 1024, 768, 768), (8, 1024, 768, 3072), (8, 1024, 1024, 4096), (8, 1024, 1280, 5120),
    ];

    public static int Run()
    {
        TorchRuntime.Prepare();
        if (!CudaDevice.KernelsAvailable || !cuda_is_available())
        {
            Console.Error.WriteLine("needs a GPU with the CUDA driver, NVRTC and a libtorch with CUDA");
            return 1;
        }

        var device = CudaDevice.Of(0);
        var (sm90, sm80, kernels) = (device.Capability.Major == 9 ? new GramNormSm90(device) : null, new SampleNormsSm80(device), new CudaDpKernels(device));
        using var outer = NewDisposeScope();
        var a = randn(8192, 8192, dtype: ScalarType.BFloat16, device: CUDA);
        var rate = 2 * Math.Pow(8192, 3) / Median(() => a.mm(a).Dispose()) / 1e12;
        Console.WriteLine($"torch, bf16 8192^3: {rate:0} TFLOP/s");
        Console.WriteLine("| B | T | P | D | wgmma Gram, ms | TFLOP/s | of torch's | mma Gram, ms | mma direct, ms (TFLOP/s) | kept: norm and sum, ms | weighed sum, ms | one product, ms |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var (b, t, p, d) in Shapes)
        {
            using var scope = NewDisposeScope();
            var x = randn(b, t, p, dtype: ScalarType.BFloat16, device: CUDA);
            var g = randn(b, t, d, dtype: ScalarType.BFloat16, device: CUDA);
            var w = randn(d, p, dtype: ScalarType.BFloat16, device: CUDA);
            var factors = rand(b, device: CUDA);
            var fast = sm90 is null ? double.NaN : Median(() => sm90.SquaredNormBounds(x, [g]).Dispose());
            var (gram, direct) = (Median(() => sm80.ByGram(x, [g]).Dispose()), Median(() => sm80.Direct(x, [g]).Dispose()));
            var kept = (long)b * p * d > 1L << 30 ? double.NaN : Median(() =>
            {
                using var rows = kernels.SampleProducts(x, g);
                kernels.RowSquaredNorms(rows).Dispose();
                kernels.AddWeightedRows([(rows, w.view(-1), false)], factors);
            });
            var weighed = Median(() => kernels.AddWeightedGradients(x, [(g, w, false)], factors));
            var product = Median(() => g.view(-1, d).t().mm(x.view(-1, p)).Dispose());
            // What symmetry leaves: the blocks of 64 on and below the diagonal.
            long n = (t + 63) / 64;
            double flops = (double)b * n * (n + 1) / 2 * 64 * 64 * 2 * (p + d), directFlops = 2.0 * b * t * p * d;
            Console.WriteLine(FormattableString.Invariant(
                $"| {b} | {t} | {p} | {d} | {1e3 * fast:0.000} | {flops / fast / 1e12:0} | {flops / fast / 1e12 / rate:0.00} | {1e3 * gram:0.000} | {1e3 * direct:0.000} ({directFlops / direct / 1e12:0}) | {1e3 * kept:0.000} | {1e3 * weighed:0.000} | {1e3 * product:0.000} |"));
        }
        return 0;
    }

    /// <summary>Median seconds of a call, each waited for; a call's own launch is in it.</summary>
    private static double Median(Action call)
    {
        for (var i = 0; i < 5; i++)
            call();
        cuda.synchronize();
        var times = new double[Repeats];
        for (var i = 0; i < Repeats; i++)
        {
            var watch = Stopwatch.GetTimestamp();
            for (var k = 0; k < 4; k++)
                call();
            cuda.synchronize();
            times[i] = Stopwatch.GetElapsedTime(watch).TotalSeconds / 4;
        }

        Array.Sort(times);
        return times[Repeats / 2];
    }
}
