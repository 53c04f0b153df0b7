using System.Runtime.InteropServices;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.DpSgd;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>One optimizer step on one parameter with its noise drawn in registers (noise_update.cu): the same draws as <see cref="CounterNoise"/>, to some ulps.</summary>
public sealed class NoiseUpdate(CudaDevice device)
{
    private const int Threads = 256, BlocksPerMultiprocessor = 8;

    /// <summary>Whether all of these are of a type and form that the kernel reads.</summary>
    public static bool Takes(params ReadOnlySpan<Tensor?> tensors)
    {
        foreach (var tensor in tensors)
        {
            if (tensor is not null && (TypeCode(tensor.dtype) < 0 || !tensor.is_contiguous()))
                return false;
        }

        return true;
    }

    /// <summary>As <see cref="IDpKernels.Update"/> says.</summary>
    public void Apply(Tensor parameter, Tensor? gradient, Tensor? moment, Tensor? secondMoment, in OptimizerStep step, in NoiseDraw noise)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        if (noise.First < 0 || noise.First % 4 != 0)
            throw new ArgumentException($"draws come in blocks of four elements: noise.First must be a multiple of 4, got {noise.First}");
        var kernel = CudaKernel.Of(
            device, "noise_update.cu", "noise_update", ownArchitecture: false, $"PARAMETER={TypeCode(parameter.dtype)}", $"GRADIENT={Code(gradient)}",
            $"MOMENT={Code(moment)}", $"SECOND={Code(secondMoment)}", $"ADAMW={(step.Optimizer == DpOptimizer.AdamW ? 1 : 0)}");
        using var arguments = new KernelArguments();
        arguments.Add(parameter);
        foreach (var tensor in (Tensor?[])[gradient, moment, secondMoment])
            _ = tensor is null ? arguments.Add((nint)0) : arguments.Add(tensor);
        var numbers = new Numbers(
            step.LearningRate, step.GradientScale, step.WeightDecay, step.Momentum, step.Beta1, step.Beta2, step.Epsilon, step.Correction1, step.Correction2, noise.StdDev);
        arguments.Add(parameter.numel()).Add(noise.First / 4).Add((uint)noise.Key).Add((uint)(noise.Key >> 32)).Add(noise.Step).Add(noise.Parameter).Add(numbers);
        var blocks = (parameter.numel() + (4 * Threads) - 1) / (4 * Threads);
        kernel.Launch((int)Math.Min(blocks, (long)device.Multiprocessors * BlocksPerMultiprocessor), Threads, 0, arguments);
    }

    private static int Code(Tensor? tensor) => tensor is null ? 0 : TypeCode(tensor.dtype);

    private static int TypeCode(ScalarType type) => type switch
    {
        ScalarType.Float32 => 0,
        ScalarType.BFloat16 => 1,
        ScalarType.Float16 => 2,
        _ => -1,
    };

    /// <summary>The kernel's struct Step.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Numbers(
        float LearningRate, float Scale, float Decay, float Momentum, float Beta1, float Beta2, float Epsilon, float Correction1, float Correction2, float StdDev);
}
