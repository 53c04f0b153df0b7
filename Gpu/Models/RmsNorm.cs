using Chorus.Gpu.Models.Fused;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>y = w x / sqrt(mean(x^2) + eps) over the last dimension (arXiv:1910.07467); the mean is taken in float32 at least.</summary>
public sealed class RmsNorm : nn.Module
{
    /// <summary>w, [C].</summary>
    public Parameter Weight { get; }

    internal double Epsilon { get; }

    /// <summary>As <see cref="Projection.Rule"/>.</summary>
    internal Func<Tensor, Tensor>? Rule { get; set; }

    internal RmsNorm(int size, double epsilon, WeightSource weights) : base(nameof(RmsNorm))
    {
        Epsilon = epsilon;
        Weight = WeightSource.Owned(weights.Vector(size, 1));
        register_parameter("weight", Weight);
    }

    /// <summary>x [..., C] to y [..., C]; the caller owns the result.</summary>
    public Tensor Apply(Tensor x) => Rule is { } rule ? rule(x) : Apply(x, Weight, Epsilon);

    internal static Tensor Apply(Tensor x, Tensor weight, double epsilon)
    {
        if (FusedRmsNorm.TryApply(x, weight, epsilon) is { } fused)
            return fused;
        using var scope = NewDisposeScope();
        var wide = x.dtype is ScalarType.Float32 or ScalarType.Float64 ? x : x.to_type(ScalarType.Float32);
        var rstd = wide.square().mean([-1], keepdim: true).add_(epsilon).rsqrt_();
        var normed = wide * rstd;
        if (normed.dtype != x.dtype)
            normed = normed.to_type(x.dtype);
        return (normed * weight).MoveToOuterDisposeScope();
    }
}
