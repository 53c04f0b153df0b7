using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>A parameter that is trained with privacy, and the sum of its clipped per-sample gradients.</summary>
/// <param name="name">As the model names it.</param>
/// <param name="index">Which noise it gets.</param>
public sealed class ClippedParameter(string name, Parameter parameter, uint index)
{
    public string Name => name;

    public Parameter Parameter => parameter;

    /// <summary>Position among the run's parameters; decides the noise.</summary>
    public uint Index => index;

    /// <summary>The sum over all samples since the last <see cref="Release"/>, of the parameter's shape and type; null where no sample has come yet.</summary>
    public Tensor? Gradient { get; private set; }

    /// <summary>Makes the sum's memory, unset, in place of memory of its own: a view into what several ranks add up in one call.</summary>
    internal Func<Tensor>? Memory { get; set; }

    /// <summary>Where a sum is to go: memory that is made when it is first needed, so that it is not there while activations are, just as plain gradients are not.</summary>
    internal Tensor Target(out bool accumulate)
    {
        accumulate = Gradient is not null;
        return Gradient ??= Memory?.Invoke() ?? empty(parameter.shape, parameter.dtype, parameter.device).DetachFromDisposeScope();
    }

    /// <summary>The same, set to zero where it is new.</summary>
    internal Tensor SetTarget()
    {
        var target = Target(out bool accumulate);
        return accumulate ? target : target.zero_();
    }

    /// <summary>Takes over a gradient that was made elsewhere.</summary>
    internal void Take(Tensor gradient)
    {
        Release();
        Gradient = gradient.DetachFromDisposeScope();
    }

    /// <summary>Gives the sum's memory back.</summary>
    internal void Release()
    {
        Gradient?.Dispose();
        Gradient = null;
    }
}

/// <summary>Parameters whose per-sample gradients have one norm and are clipped together.</summary>
/// <param name="name">For messages and reports.</param>
/// <param name="parameters">At least one.</param>
public sealed class ClippingGroup(string name, IReadOnlyList<ClippedParameter> parameters)
{
    public string Name => name;

    public IReadOnlyList<ClippedParameter> Parameters => parameters;

    /// <summary>Weights in all its parameters.</summary>
    public long Dimension { get; } = parameters.Sum(p => p.Parameter.numel());

    /// <summary>The most that one sample's gradient in this group may measure, C_l.</summary>
    public double Threshold
    {
        get;
        internal set => field = value >= SmallestThreshold && double.IsFinite(value) ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"the clipping threshold of {name} must be in [{SmallestThreshold}, infinity), got {value}");
    } = 1;

    /// <summary>Squared norms below 1e-38 are zero in float32: they must lie below every threshold.</summary>
    internal const double SmallestThreshold = 1e-12;

    /// <summary>Adaptive thresholds: the estimate of the norms' quantile, which <see cref="Threshold"/> is proportional to.</summary>
    internal double Quantile { get; set; } = 1;

    /// <summary>float32 [1], how many samples had a norm of at most <see cref="Quantile"/>; null where that is not asked.</summary>
    internal Tensor? Within { get; set; }

    /// <summary>Counts samples where that is asked.</summary>
    internal void Count(Tensor squaredNormBounds) => Within?.add_(squaredNormBounds.le(Quantile * Quantile).sum([0L], keepdim: true, type: ScalarType.Float32));
}
