// Shapes: B samples, T time, P inputs, D outputs
using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>A linear layer, or several that share their input and are one clipping group (query, key, value; gate, up).</summary>
internal class LinearRule(
    BackwardPass pass, ClippingGroup group, IReadOnlyList<(Projection Layer, ClippedParameter? Weight, ClippedParameter? Bias)> layers, string name)
    : LayerRule(pass, group, First(layers), name)
{
    /// <remarks>An output may be padded (<see cref="Projection.PaddedWeight"/>), and so is its gradient, with zeros.</remarks>
    public override IReadOnlyList<Tensor> Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return [.. layers.Select(l => Projection.Product(x, l.Layer.PaddedWeight(), l.Layer.Bias).MoveToOuterDisposeScope())];
    }

    public override Tensor? Backward(Tensor x, IReadOnlyList<Tensor> outputGradients, bool needsInput)
    {
        Deliver(Samples(x, outputGradients));
        if (!needsInput)
            return null;
        using var scope = NewDisposeScope();
        long outer = x.numel() / x.size(-1);
        Tensor? dx = null;
        for (int i = 0; i < layers.Count; i++)
        {
            var g = outputGradients[i].view(outer, -1);
            var weight = layers[i].Layer.PaddedWeight();
            dx = dx is null ? g.mm(weight) : dx.addmm_(g, weight, beta: 1, alpha: 1);
        }
        return dx!.view(x.shape).MoveToOuterDisposeScope();
    }

    protected virtual void Deliver(LinearSamples samples) => Send(samples);

    private LinearSamples Samples(Tensor x, IReadOnlyList<Tensor> outputGradients)
    {
        var rows = Rows(x);
        return new LinearSamples(
            rows, [.. layers.Select((l, i) => (Rows(outputGradients[i]), l.Weight, l.Bias)).Where(o => o.Weight is not null || o.Bias is not null)],
            x.dim() == 3 ? Pass.Lengths : null, Pass.Method);
    }

    // [B, ..., N] to [B, T, N]; a batch of vectors is sequences of one.
    private static Tensor Rows(Tensor x) => x.dim() == 3 ? x.is_contiguous() ? x : x.contiguous() : x.reshape(x.size(0), -1, x.size(-1));

    private static Parameter First(IReadOnlyList<(Projection, ClippedParameter? Weight, ClippedParameter? Bias)> layers) =>
        layers.Select(l => l.Weight ?? l.Bias).First(p => p is not null)!.Parameter;
}

/// <summary>A head whose matrix is the embedding too: its part waits for the embedding's.</summary>
internal sealed class TiedHeadRule(BackwardPass pass, ClippingGroup group, Projection head, ClippedParameter weight, string name)
    : LinearRule(pass, group, [(head, weight, null)], name)
{
    protected override void Deliver(LinearSamples samples)
    {
        if (Pass.TiedHead is not null)
            throw new NotSupportedException("the tied head was used twice in one micro-batch");
        Pass.Keep(samples);
        Pass.TiedHead = samples;
    }
}

/// <summary>A low-rank branch on a frozen layer, s (x A^T) B^T: A and B are one clipping group.</summary>
internal sealed class LowRankRule(BackwardPass pass, ClippingGroup group, LowRankBranch branch, ClippedParameter a, ClippedParameter b, string name)
    : LayerRule(pass, group, a.Parameter, name)
{
    public override IReadOnlyList<Tensor> Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return [nn.functional.linear(nn.functional.linear(x, branch.A), branch.B).mul_(branch.Scale).MoveToOuterDisposeScope()];
    }

    public override Tensor? Backward(Tensor x, IReadOnlyList<Tensor> outputGradients, bool needsInput)
    {
        using var scope = NewDisposeScope();
        var (rows, g) = (x.reshape(x.size(0), -1, x.size(-1)), outputGradients[0].reshape(x.size(0), -1, branch.OutSize));
        // [B, T, r] is made anew: it is small beside x, and so need not be kept from the forward pass.
        var inner = nn.functional.linear(rows, branch.A).mul_(branch.Scale);
        var dinner = g.matmul(branch.B).mul_(branch.Scale);
        var lengths = x.dim() == 3 ? Pass.Lengths : null;
        Send(new JointSamples(
            new LinearSamples(rows, [(dinner, a, null)], lengths, Pass.Method),
            new LinearSamples(inner, [(g, b, null)], lengths, Pass.Method)));
        return needsInput ? dinner.matmul(branch.A).view(x.shape).MoveToOuterDisposeScope() : null;
    }
}
