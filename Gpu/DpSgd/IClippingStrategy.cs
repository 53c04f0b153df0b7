using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>When norms, weights and weighted sums are made: what tells fused, flat and the reference methods from one another.</summary>
internal interface IClippingStrategy
{
    void Start(BackwardPass pass);

    /// <summary>Called inside the backward pass, once a group; what the samples hold is gone after it unless it is kept.</summary>
    void Receive(BackwardPass pass, ClippingGroup group, SampleGradients samples);

    /// <summary>Called after the backward pass.</summary>
    void Complete(BackwardPass pass);
}

/// <summary>Each group has a threshold of its own, so that its sum is made on the spot: one backward pass, nothing kept.</summary>
internal sealed class FusedStrategy(ClipRule rule) : IClippingStrategy
{
    public void Start(BackwardPass pass)
    {
    }

    public void Receive(BackwardPass pass, ClippingGroup group, SampleGradients samples)
    {
        var bounds = samples.SquaredNormBounds(pass.Kernels, sumFollows: true);
        var factors = pass.Kernels.ClipFactors(bounds, group.Threshold, rule, pass.NotFinite);
        group.Count(bounds);
        samples.AddWeighted(pass.Kernels, factors);
        pass.Summed?.Invoke(group);
    }

    public void Complete(BackwardPass pass)
    {
    }
}

/// <summary>One norm over all groups, known only when the backward pass is over: inputs and output gradients of every layer are kept until then.</summary>
/// <remarks>
/// Memory beyond the fused way: for each trained linear layer B T (P + D) numbers (P once where layers share their input). The inputs are
/// activations that the graph holds anyway until a layer's backward; the output gradients are extra.
/// </remarks>
internal sealed class FlatStrategy(double threshold, ClipRule rule) : IClippingStrategy
{
    private readonly List<SampleGradients> _samples = [];
    private Tensor? _bounds;

    public void Start(BackwardPass pass)
    {
        _samples.Clear();
        _bounds?.Dispose();
        _bounds = null;
    }

    public void Receive(BackwardPass pass, ClippingGroup group, SampleGradients samples)
    {
        var bounds = samples.SquaredNormBounds(pass.Kernels);
        if (_bounds is null)
            _bounds = bounds.DetachFromDisposeScope();
        else
            _bounds.add_(bounds);
        _samples.Add(samples);
        pass.Keep(samples);
    }

    public void Complete(BackwardPass pass)
    {
        if (_bounds is null)
            return;
        var factors = pass.Kernels.ClipFactors(_bounds, threshold, rule, pass.NotFinite);
        foreach (var samples in _samples)
            samples.AddWeighted(pass.Kernels, factors);
        Start(pass);
    }
}
