using Chorus.Gpu.Cuda;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Gpu.Tests.Cuda;

/// <summary>A fact that needs GPUs with the CUDA driver and NVRTC; skipped, with the reason, where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal class GpuFactAttribute : FactAttribute
{
    public GpuFactAttribute(int computeCapability = 8, int gpus = 1)
    {
        TorchRuntime.Prepare(threads: 2);
        Skip = !CudaDevice.KernelsAvailable ? "needs the CUDA driver and NVRTC"
            : !torch.cuda_is_available() ? "needs a libtorch with CUDA (-p:TorchBackend=cuda or CHORUS_LIBTORCH)"
            : torch.cuda.device_count() < gpus ? $"needs {gpus} GPUs, here is {torch.cuda.device_count()}"
            : CudaDevice.Of(0).Capability.Major < computeCapability ? $"needs a GPU of compute capability {computeCapability}.0"
            : null;
    }
}
