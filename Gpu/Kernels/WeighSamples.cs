// Shapes: B samples, T time, K numbers in a row
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Samples times their clip factors, in one pass (weigh_samples.cu).</summary>
public sealed class WeighSamples(CudaDevice device)
{
    private const int Threads = 256, BlocksPerMultiprocessor = 16;

    private readonly CudaKernel _kernel = CudaKernel.Of(device, "weigh_samples.cu", "weigh_samples");

    /// <summary>c_b x_b, rounded to bfloat16; where c_b is 0 the sample's rows are 0, and those of <paramref name="other"/> are set to 0 in place.</summary>
    /// <param name="x">bfloat16 [B, T, K], as <see cref="GramNorm.Takes"/> says.</param>
    /// <param name="factors">float32 [B].</param>
    /// <param name="other">Likewise; what x is to be multiplied with.</param>
    /// <returns>Like x; the caller owns it.</returns>
    public Tensor Apply(Tensor x, Tensor factors, Tensor other)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(other);
        var result = empty_like(x);
        var samples = (int)x.shape[0];
        var chunks = Math.Max(1, device.Multiprocessors * BlocksPerMultiprocessor / samples);
        using var arguments = new KernelArguments();
        arguments.Add(x).Add(factors).Add(result).Add(x.numel() / samples / 8).Add(other).Add(other.numel() / samples / 8).Add(chunks);
        _kernel.Launch(samples * chunks, Threads, 0, arguments);
        return result;
    }
}
