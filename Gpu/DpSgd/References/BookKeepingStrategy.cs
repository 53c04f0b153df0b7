// Shapes: B samples, T time
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd.References;

/// <summary>Keeps inputs and output gradients of all layers, writes each linear layer's [B, T, T] Gram matrices to memory for its norm, and sums when all is known (arXiv:2210.00038).</summary>
/// <param name="flatThreshold">One norm over all groups; null clips each group to its own threshold.</param>
internal sealed class BookKeepingStrategy(double? flatThreshold, ClipRule rule) : IClippingStrategy
{
    private readonly List<(ClippingGroup Group, SampleGradients Samples, Tensor SquaredNorms)> _samples = [];

    public void Start(BackwardPass pass)
    {
        foreach (var (_, _, norms) in _samples)
            norms.Dispose();
        _samples.Clear();
    }

    public void Receive(BackwardPass pass, ClippingGroup group, SampleGradients samples)
    {
        _samples.Add((group, samples, SquaredNorms(pass, samples).DetachFromDisposeScope()));
        pass.Keep(samples);
    }

    public void Complete(BackwardPass pass)
    {
        foreach (var clipped in _samples.GroupBy(s => flatThreshold is null ? s.Group : null))
        {
            var norms = clipped.Select(s => s.SquaredNorms).Aggregate((a, b) => a + b);
            var factors = pass.Kernels.ClipFactors(norms, flatThreshold ?? clipped.Key!.Threshold, rule, pass.NotFinite);
            clipped.Key?.Count(norms);
            foreach (var (_, samples, _) in clipped)
                samples.AddWeighted(pass.Kernels, factors);
        }
        Start(pass);
    }

    private static Tensor SquaredNorms(BackwardPass pass, SampleGradients samples) => samples switch
    {
        LinearSamples linear => linear.Outputs.Select(o => Linear(linear.X, o.G, o.Weight is not null, o.Bias is not null)).Aggregate((a, b) => a + b),
        JointSamples joint => joint.Parts.Select(p => SquaredNorms(pass, p)).Aggregate((a, b) => a + b),
        _ => samples.SquaredNormBounds(pass.Kernels),
    };

    private static Tensor Linear(Tensor x, Tensor g, bool weight, bool bias)
    {
        var type = x.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        var (rows, outputs) = (x.to_type(type), g.to_type(type));
        var a = weight ? rows.bmm(rows.transpose(1, 2)) : zeros([x.shape[0], x.shape[1], x.shape[1]], type, x.device);
        if (bias)
            a.add_(1);
        return (a * outputs.bmm(outputs.transpose(1, 2))).sum([1L, 2L], type: ScalarType.Float64).clamp_(min: 0).to_type(ScalarType.Float32);
    }
}
