using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>silu(gate) up in one pass, and its gradients in the memory of gate and up (gated_silu.cu).</summary>
public sealed class GatedSilu(CudaDevice device)
{
    private const string File = "gated_silu.cu";
    private const int Threads = 256, BlocksPerMultiprocessor = 16;

    /// <summary>Whether both are contiguous, of one type that the kernel reads, with a multiple of 8 numbers.</summary>
    public static bool Takes(Tensor gate, Tensor up) =>
        NumberTypes.Code(gate.dtype) >= 0 && gate.dtype == up.dtype && gate.is_contiguous() && up.is_contiguous() && NumberTypes.Wide(gate, gate.numel()) && NumberTypes.Wide(up, up.numel());

    /// <summary>Like gate; the caller owns it.</summary>
    public Tensor Forward(Tensor gate, Tensor up)
    {
        ArgumentNullException.ThrowIfNull(gate);
        var y = empty_like(gate);
        using var arguments = new KernelArguments();
        Launch("gated_silu_forward", gate, arguments.Add(gate).Add(up).Add(y));
        return y;
    }

    /// <summary>Writes dgate over gate and dup over up.</summary>
    public void Backward(Tensor gate, Tensor up, Tensor g)
    {
        ArgumentNullException.ThrowIfNull(gate);
        using var arguments = new KernelArguments();
        Launch("gated_silu_backward", gate, arguments.Add(gate).Add(up).Add(g));
    }

    private void Launch(string name, Tensor gate, KernelArguments arguments)
    {
        long items = gate.numel() / NumberTypes.VectorElements;
        CudaKernel.Of(device, File, name, ownArchitecture: false, ("TYPE", NumberTypes.Code(gate.dtype)))
            .Launch((int)Math.Clamp((items + Threads - 1) / Threads, 1, (long)device.Multiprocessors * BlocksPerMultiprocessor), Threads, 0, arguments.Add(gate.numel()));
    }
}
