// Shapes: B samples
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd.References;

/// <summary>Makes and keeps every sample's gradient of every parameter, B times the model's size, then norms, weighs and sums them.</summary>
/// <param name="flatThreshold">One norm over all groups; null clips each group to its own threshold.</param>
internal sealed class ExplicitStrategy(double? flatThreshold, ClipRule rule) : IClippingStrategy
{
    private readonly List<(ClippingGroup Group, ClippedParameter Parameter, Tensor Gradients)> _gradients = [];

    public void Start(BackwardPass pass)
    {
        foreach (var (_, _, gradients) in _gradients)
            gradients.Dispose();
        _gradients.Clear();
    }

    public void Receive(BackwardPass pass, ClippingGroup group, SampleGradients samples)
    {
        foreach (var (parameter, gradients) in samples.Explicit())
            _gradients.Add((group, parameter, gradients.DetachFromDisposeScope()));
    }

    public void Complete(BackwardPass pass)
    {
        var squares = _gradients.Select(g => g.Gradients.to_type(ScalarType.Float64).flatten(1).square().sum([1L])).ToArray();
        foreach (var clipped in _gradients.Zip(squares).GroupBy(g => flatThreshold is null ? g.First.Group : null))
        {
            var norms = clipped.Select(g => g.Second).Aggregate((a, b) => a + b).to_type(ScalarType.Float32);
            var factors = pass.Kernels.ClipFactors(norms, flatThreshold ?? clipped.Key!.Threshold, rule, pass.NotFinite);
            clipped.Key?.Count(norms);
            foreach (var ((_, parameter, gradients), _) in clipped)
            {
                var weights = factors.to_type(gradients.dtype);
                var kept = gradients.flatten(1).masked_fill(factors.eq(0).unsqueeze(1), 0);
                parameter.SetTarget().add_(weights.unsqueeze(0).mm(kept).view(parameter.Parameter.shape));
            }
        }
        Start(pass);
    }
}
