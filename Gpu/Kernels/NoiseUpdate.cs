using System.Runtime.InteropServices;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.DpSgd;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>One optimizer step on one parameter with its noise drawn in registers (noise_update.cu): the same draws as <see cref="CounterNoise"/>, to some ulps.</summary>
public sealed class NoiseUpdate(CudaDevice device)
{
    private const int Threads = 256, BlocksPerMultiprocessor = 16, ElementsOfDraw = 4;

    /// <summary>Whether all of these are of a type and form that the kernel reads.</summary>
    public static bool Takes(params ReadOnlySpan<Tensor?> tensors)
    {
        foreach (var tensor in tensors)
        {
            if (tensor is not null && (NumberTypes.Code(tensor.dtype) < 0 || !tensor.is_contiguous()))
                return false;
        }

        return true;
    }

    /// <summary>As <see cref="IDpKernels.Update"/> says.</summary>
    public void Apply(Tensor parameter, Tensor? gradient, Tensor? moment, Tensor? secondMoment, in OptimizerStep step, in NoiseDraw noise)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        if (noise.First < 0 || noise.First % ElementsOfDraw != 0)
            throw new ArgumentException($"draws come in blocks of {ElementsOfDraw} elements: noise.First must be a multiple of that, got {noise.First}");
        var kernel = CudaKernel.Of(
            device, "noise_update.cu", "noise_update", ownArchitecture: false, ("PARAMETER", CodeOf(parameter)), ("GRADIENT", CodeOf(gradient)),
            ("MOMENT", CodeOf(moment)), ("SECOND", CodeOf(secondMoment)), ("ADAMW", step.Optimizer == DpOptimizer.AdamW ? 1 : 0));
        using var arguments = new KernelArguments();
        arguments.Add(parameter);
        foreach (var tensor in (Tensor?[])[gradient, moment, secondMoment])
            _ = tensor is null ? arguments.Add((nint)0) : arguments.Add(tensor);
        bool wide = ((Tensor?[])[parameter, gradient, moment, secondMoment]).All(t => t is null || TensorMemory.AddressOf(t) % 16 == 0);
        var numbers = new Numbers(
            step.LearningRate, step.GradientScale, step.WeightDecay, step.Momentum, step.Beta1, step.Beta2, step.Epsilon, step.Correction1, step.Correction2, noise.StdDev);
        arguments.Add(parameter.numel()).Add(noise.First).Add(wide ? 1 : 0).Add((uint)noise.Key).Add((uint)(noise.Key >> 32)).Add(noise.Step).Add(noise.Parameter).Add(numbers);
        var blocks = (parameter.numel() + (NumberTypes.VectorElements * Threads) - 1) / (NumberTypes.VectorElements * Threads);
        kernel.Launch((int)Math.Min(blocks, (long)device.Multiprocessors * BlocksPerMultiprocessor), Threads, 0, arguments);
    }

    private static int CodeOf(Tensor? tensor) => tensor is null ? 0 : NumberTypes.Code(tensor.dtype);

    /// <summary>The kernel's struct Step.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Numbers(
        float LearningRate, float Scale, float Decay, float Momentum, float Beta1, float Beta2, float Epsilon, float Correction1, float Correction2, float StdDev);
}
