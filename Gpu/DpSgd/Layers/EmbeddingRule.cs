// Shapes: B samples, T time, C channels
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>Token ids [B, T] to rows of the embedding.</summary>
/// <param name="tied">Whether the head is the same matrix, so that its part is waiting when this one's comes.</param>
internal sealed class EmbeddingRule(BackwardPass pass, ClippingGroup group, ClippedParameter weight, bool tied, string name)
    : LayerRule(pass, group, weight.Parameter, name)
{
    public override IReadOnlyList<Tensor> Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return [weight.Parameter.index_select(0, x.reshape(-1)).view(x.size(0), x.size(1), -1).MoveToOuterDisposeScope()];
    }

    public override Tensor? Backward(Tensor x, IReadOnlyList<Tensor> outputGradients, bool needsInput)
    {
        var samples = new EmbeddingSamples(x, outputGradients[0], weight);
        if (!tied)
        {
            Send(samples);
            return null;
        }
        var head = Pass.TiedHead ?? throw new InvalidOperationException("the head that is tied to the embedding got no gradient");
        Pass.TiedHead = null;
        Send(new TiedSamples(head, samples));
        return null;
    }
}

/// <summary>x [B, T, C] plus the first T learned positions.</summary>
internal sealed class PositionRule(BackwardPass pass, ClippingGroup group, ClippedParameter positions, string name)
    : LayerRule(pass, group, positions.Parameter, name)
{
    public override IReadOnlyList<Tensor> Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return [(x + positions.Parameter.narrow(0, 0, x.size(1))).MoveToOuterDisposeScope()];
    }

    public override Tensor? Backward(Tensor x, IReadOnlyList<Tensor> outputGradients, bool needsInput)
    {
        var g = outputGradients[0];
        Send(new RowSamples([(positions, g.reshape(g.size(0), -1))]));
        return needsInput ? g.alias() : null;
    }
}
