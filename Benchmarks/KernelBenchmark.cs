using System.Diagnostics;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.Kernels;
using Chorus.Gpu.Runtime;
using static TorchSharp.torch;

namespace Chorus.Benchmarks;

/// <summary>The fused Gram norm beside a matrix product of torch's in the same process, on a Hopper GPU.</summary>
internal static class KernelBenchmark
{
    private const int Repeats = 30;

    private static readonly (int B, int T, int P, int D)[] Shapes =
    [
        (8, 512, 4096, 4096), (8, 1024, 4096, 4096), (8, 1024, 5120, 5120), (8, 1024, 5120, 13824), (8, 1024, 5120, 15360),
        (8, 2048, 5120, 5120), (8, 2048, 5120, 13824), (32, 128, 4096, 4096),
    ];

    public static int Run()
    {
        TorchRuntime.Prepare();
        if (!CudaDevice.KernelsAvailable || !cuda_is_available())
        {
            Console.Error.WriteLine("needs a GPU with the CUDA driver, NVRTC and a libtorch with CUDA");
            return 1;
        }

        var gram = new GramNorm(CudaDevice.Of(0));
        using var outer = NewDisposeScope();
        var a = randn(8192, 8192, dtype: ScalarType.BFloat16, device: CUDA);
        var rate = 2 * Math.Pow(8192, 3) / Median(() => a.mm(a).Dispose()) / 1e12;
        Console.WriteLine($"torch, bf16 8192^3: {rate:0} TFLOP/s");
        Console.WriteLine("| B | T | P | D | Gram norm, ms | TFLOP/s | of torch's | one product, ms | largest relative error |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var (b, t, p, d) in Shapes)
        {
            using var scope = NewDisposeScope();
            var x = randn(b, t, p, dtype: ScalarType.BFloat16, device: CUDA);
            var g = randn(b, t, d, dtype: ScalarType.BFloat16, device: CUDA);
            var w = randn(d, p, dtype: ScalarType.BFloat16, device: CUDA);
            var error = Error(gram.SquaredNormBounds(x, [g]), x, g);
            var seconds = Median(() => gram.SquaredNormBounds(x, [g]).Dispose());
            var product = Median(() => g.matmul(w).Dispose());
            long n = (t + 127) / 128;
            var flops = (double)b * n * (n + 1) / 2 * 128 * 128 * 2 * (p + d);
            Console.WriteLine($"| {b} | {t} | {p} | {d} | {1e3 * seconds:0.000} | {flops / seconds / 1e12:0} | {flops / seconds / 1e12 / rate:0.00} | {1e3 * product:0.000} | {error:0.0e0} |");
        }

        CheckWeighing();
        return 0;
    }

    private static void CheckWeighing()
    {
        using var scope = NewDisposeScope();
        var x = randn(4, 100, 72, dtype: ScalarType.BFloat16, device: CUDA);
        var g = randn(4, 100, 136, dtype: ScalarType.BFloat16, device: CUDA);
        g[2, 5, 7] = float.NaN;
        var factors = tensor(new[] { 0.5f, 0.001f, 0f, 1f }).cuda();
        var wanted = zeros(136, 72, dtype: ScalarType.Float64, device: CUDA);
        foreach (var b in (long[])[0, 1, 3])
            wanted.add_(g[b].to(ScalarType.Float64).t().mm(x[b].to(ScalarType.Float64)) * factors[b].to(ScalarType.Float64));
        var sum = zeros(136, 72, dtype: ScalarType.BFloat16, device: CUDA);
        new Gpu.DpSgd.CudaDpKernels(CudaDevice.Of(0)).AddWeightedGradient(x, g, factors, sum, accumulate: false);
        var error = (sum.to(ScalarType.Float64) - wanted).norm().cpu().item<double>() / wanted.norm().cpu().item<double>();
        Console.WriteLine($"weighted sum, one sample not finite: relative error {error:0.0e0} (bfloat16)");
    }

    private static double Error(Tensor norms, Tensor x, Tensor g)
    {
        double worst = 0;
        for (long i = 0; i < x.shape[0]; i++)
        {
            using var scope = NewDisposeScope();
            var exact = g[i].to(ScalarType.Float64).t().mm(x[i].to(ScalarType.Float64)).square().sum().cpu().item<double>();
            worst = Math.Max(worst, Math.Abs((norms[i].cpu().item<float>() / exact) - 1));
        }

        return worst;
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
