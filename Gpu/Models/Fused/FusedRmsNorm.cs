using Chorus.Gpu.Kernels;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models.Fused;

/// <summary>RMSNorm as one kernel each way; only x is kept.</summary>
internal sealed class FusedRmsNorm(double epsilon, bool trained) : FusedLayer
{
    /// <summary>The norm of x [..., C], or null where the kernel does not take it.</summary>
    public static Tensor? TryApply(Tensor x, Tensor weight, double epsilon) =>
        Available(x) && NormLayer.Takes(x, weight) ? new FusedRmsNorm(epsilon, weight.requires_grad).Apply(x, weight)[0] : null;

    protected override Tensor[] Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        saved.AddRange(inputs);
        return [new NormLayer(DeviceOf(inputs[0])).RmsForward(inputs[0], inputs[1], epsilon)];
    }

    protected override Tensor?[] Backward(IReadOnlyList<Tensor> saved, IReadOnlyList<Tensor> gradients)
    {
        var (dx, dweight, _) = new NormLayer(DeviceOf(saved[0])).Backward(saved[0], saved[1], gradients[0], epsilon, centred: false, trained);
        return [dx, dweight?.sum([0L]).to_type(saved[1].dtype)];
    }
}
