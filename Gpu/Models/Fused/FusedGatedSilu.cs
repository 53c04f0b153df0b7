using Chorus.Gpu.Kernels;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models.Fused;

/// <summary>silu(gate) up as one kernel each way. The backward pass writes the gradients over gate and up, which nobody reads after it: the layers that made them keep their inputs.</summary>
internal sealed class FusedGatedSilu : FusedLayer
{
    /// <summary>Like gate, or null where the kernel does not take them.</summary>
    public static Tensor? TryApply(Tensor gate, Tensor up) => Available(gate) && GatedSilu.Takes(gate, up) ? new FusedGatedSilu().Apply(gate, up)[0] : null;

    protected override Tensor[] Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        saved.AddRange(inputs);
        return [new GatedSilu(DeviceOf(inputs[0])).Forward(inputs[0], inputs[1])];
    }

    protected override Tensor?[] Backward(IReadOnlyList<Tensor> saved, IReadOnlyList<Tensor> gradients)
    {
        new GatedSilu(DeviceOf(saved[0])).Backward(saved[0], saved[1], gradients[0]);
        return [saved[0].detach(), saved[1].detach()];
    }
}
