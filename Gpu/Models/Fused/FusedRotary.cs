using Chorus.Gpu.Kernels;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models.Fused;

/// <summary>Rotary positions on query and key as one kernel each way; nothing but the tables is kept.</summary>
internal sealed class FusedRotary(Tensor cos, Tensor sin) : FusedLayer
{
    /// <summary>Both turned, [B, T, H, HS] each, or null where the kernel does not take them.</summary>
    public static IReadOnlyList<Tensor>? TryApply(Tensor query, Tensor key, Tensor cos, Tensor sin) =>
        Available(query) && Rotary.Takes(query, key, cos) ? new FusedRotary(cos, sin).Apply(query, key) : null;

    protected override Tensor[] Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        saved.Add(cos);
        saved.Add(sin);
        return Turn(inputs[0], inputs[1], cos, sin, backward: false);
    }

    protected override Tensor?[] Backward(IReadOnlyList<Tensor> saved, IReadOnlyList<Tensor> gradients) => Turn(gradients[0], gradients[1], saved[0], saved[1], backward: true);

    private static Tensor[] Turn(Tensor query, Tensor key, Tensor cos, Tensor sin, bool backward)
    {
        var (q, k) = new Rotary(DeviceOf(query)).Turn(query, key, cos, sin, backward);
        return [q, k];
    }
}
