using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>y = w x / sqrt(mean(x^2) + eps) over the last dimension (arXiv:1910.07467); the mean is taken in float32.</summary>
public sealed class RmsNorm : nn.Module
{
    private readonly double _epsilon;

    /// <summary>w, [C].</summary>
    public Parameter Weight { get; }

    internal RmsNorm(int size, double epsilon, WeightSource weights) : base(nameof(RmsNorm))
    {
        _epsilon = epsilon;
        Weight = WeightSource.Owned(weights.Vector(size, 1));
        register_parameter("weight", Weight);
    }

    /// <summary>x [..., C] to y [..., C]; the caller owns the result.</summary>
    public Tensor Apply(Tensor x) => Apply(x, Weight, _epsilon);

    internal static Tensor Apply(Tensor x, Tensor weight, double epsilon)
    {
        using var scope = NewDisposeScope();
        var wide = x.dtype == ScalarType.Float32 ? x : x.to_type(ScalarType.Float32);
        var rstd = wide.square().mean([-1], keepdim: true).add_(epsilon).rsqrt_();
        var normed = wide * rstd;
        if (x.dtype != ScalarType.Float32)
            normed = normed.to_type(x.dtype);
        return (normed * weight).MoveToOuterDisposeScope();
    }
}
