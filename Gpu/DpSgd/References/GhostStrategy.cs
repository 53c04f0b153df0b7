using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd.References;

/// <summary>Two backward passes: the first for the norms alone, the second of the sum of the samples' losses, each weighed by its clip factor (arXiv:2009.03106).</summary>
internal sealed class GhostStrategy(double threshold, ClipRule rule) : IClippingStrategy
{
    private Tensor? _squaredNorms;
    private Tensor? _unit; // 1, or 0 for samples that are left out: in the second pass only

    public void Start(BackwardPass pass)
    {
    }

    public void Receive(BackwardPass pass, ClippingGroup group, SampleGradients samples)
    {
        if (_unit is not null)
        {
            samples.AddWeighted(pass.Kernels, _unit);
            return;
        }
        var norms = samples.SquaredNormBounds(pass.Kernels);
        if (_squaredNorms is null)
            _squaredNorms = norms.DetachFromDisposeScope();
        else
            _squaredNorms.add_(norms);
    }

    public void Complete(BackwardPass pass)
    {
    }

    public void SecondPass(BackwardPass pass, long batch, Tensor? lengths, Device device, Func<Tensor> losses)
    {
        using var scope = NewDisposeScope();
        try
        {
            var factors = pass.Kernels.ClipFactors(_squaredNorms!, threshold, rule, pass.NotFinite);
            var flags = pass.NotFinite.clone();
            pass.Start(batch, lengths, device);
            pass.NotFinite.copy_(flags);
            _unit = factors.ne(0).to_type(ScalarType.Float32);
            var values = losses();
            (values * factors.to_type(values.dtype)).sum().backward();
            pass.Finish();
        }
        finally
        {
            _squaredNorms?.Dispose();
            (_squaredNorms, _unit) = (null, null);
        }
    }
}
