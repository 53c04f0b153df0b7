using Chorus.Gpu.Cuda;
using Chorus.Gpu.DpSgd;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Weights of the samples from their norms, in one launch (clip_factors.cu).</summary>
public sealed class ClipFactors(CudaDevice device)
{
    private const int Threads = 128;

    private readonly CudaKernel _kernel = CudaKernel.Of(device, "clip_factors.cu", "clip_factors");

    /// <summary>As <see cref="IDpKernels.ClipFactors"/> says; the threshold has its cover already.</summary>
    internal Tensor Apply(Tensor squaredNormBounds, float threshold, bool automatic, double stability, Tensor notFinite)
    {
        var factors = empty_like(squaredNormBounds);
        int samples = (int)squaredNormBounds.numel();
        using var arguments = new KernelArguments();
        arguments.Add(squaredNormBounds).Add(factors).Add(notFinite).Add(samples).Add(threshold).Add((float)stability).Add(automatic ? 1 : 0);
        _kernel.Launch((samples + Threads - 1) / Threads, Threads, 0, arguments);
        return factors;
    }
}
