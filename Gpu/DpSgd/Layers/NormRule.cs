// Shapes: B samples, T time, C channels
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>RMSNorm, or LayerNorm where there is a bias: only x is kept for the backward pass.</summary>
internal sealed class NormRule(BackwardPass pass, ClippingGroup group, Tensor weight, Tensor? bias, double epsilon, ClippedParameter? trainedWeight, ClippedParameter? trainedBias, string name)
    : LayerRule(pass, group, (trainedWeight ?? trainedBias)!.Parameter, name)
{
    public override IReadOnlyList<Tensor> Forward(Tensor x) =>
        [bias is null ? RmsNorm.Apply(x, weight, epsilon) : nn.functional.layer_norm(x, [weight.size(0)], weight, bias, epsilon)];

    public override Tensor? Backward(Tensor x, IReadOnlyList<Tensor> outputGradients, bool needsInput)
    {
        var (dx, dweight, dbias) = Pass.Kernels.NormBackward(x, weight, outputGradients[0], epsilon, centred: bias is not null);
        var rows = new List<(ClippedParameter, Tensor)>();
        if (trainedWeight is not null)
            rows.Add((trainedWeight, dweight));
        if (trainedBias is not null)
            rows.Add((trainedBias, dbias!));
        Send(new RowSamples(rows));
        return needsInput ? dx : null;
    }
}
