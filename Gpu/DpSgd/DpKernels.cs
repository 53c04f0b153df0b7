using Chorus.Gpu.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>Which kernels a device has.</summary>
public static class DpKernels
{
    /// <summary>The fastest for the device; <see cref="TorchDpKernels"/> where there are no others.</summary>
    public static IDpKernels For(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.type == DeviceType.CUDA && CudaDevice.KernelsAvailable ? new CudaDpKernels(CudaDevice.Of(Math.Max(0, device.index))) : new TorchDpKernels();
    }
}
