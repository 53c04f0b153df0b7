// Shapes: R rows, V vocabulary
using Chorus.Gpu.Kernels;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models.Fused;

/// <summary>The cross-entropy of tokens as one kernel each way. The backward pass writes the gradient over the logits, which nobody reads after it.</summary>
internal sealed class FusedTokenLoss(long vocabulary) : FusedLayer
{
    /// <summary>float32 [R], 0 where a target is below 0, or null where the kernel does not take the logits.</summary>
    /// <param name="logits">[R, V'], of which the first V are logits; not to be used afterwards.</param>
    /// <param name="targets">int64 [R].</param>
    public static Tensor? TryApply(Tensor logits, Tensor targets, long vocabulary) =>
        Available(logits) && TokenLoss.Takes(logits) ? new FusedTokenLoss(vocabulary).Apply(logits, targets)[0] : null;

    protected override Tensor[] Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var (losses, logSumExps) = new TokenLoss(DeviceOf(inputs[0])).Forward(inputs[0], inputs[1], vocabulary);
        saved.AddRange([.. inputs, logSumExps]);
        return [losses];
    }

    protected override Tensor?[] Backward(IReadOnlyList<Tensor> saved, IReadOnlyList<Tensor> gradients)
    {
        new TokenLoss(DeviceOf(saved[0])).Backward(saved[0], saved[1], gradients[0], saved[2], vocabulary);
        return [saved[0].detach(), null];
    }
}
