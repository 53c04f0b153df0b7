using Chorus.Gpu.Cuda;
using Chorus.Gpu.Kernels;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>The sums of DP-SGD on a GPU: Chorus' own kernels where they take the tensors, libtorch's operators elsewhere.</summary>
public sealed class CudaDpKernels : TorchDpKernels
{
    private readonly GramNorm? _gram;
    private readonly NoiseUpdate _update;
    private readonly WeighSamples _weigh;

    /// <exception cref="CudaException">There is no such device, or a kernel does not compile.</exception>
    public CudaDpKernels(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _gram = device.Capability.Major == 9 ? new GramNorm(device) : null;
        _update = new NoiseUpdate(device);
        _weigh = new WeighSamples(device);
    }

    /// <inheritdoc/>
    public override Tensor SquaredNormBounds(Tensor x, IReadOnlyList<Tensor> outputGradients, bool bias, Tensor? lengths, NormMethod method)
    {
        // Rows past a sample's length are zero in every g, so they add nothing here.
        var chosen = NormCost.Choose(method, x.shape[1], x.shape[2], outputGradients.Sum(g => g.shape[2]), symmetric: true);
        return _gram is not null && chosen == NormMethod.Gram && outputGradients.Count <= GramNorm.MostGradients && GramNorm.Takes(x) && outputGradients.All(GramNorm.Takes)
            ? _gram.SquaredNormBounds(x, outputGradients, bias)
            : base.SquaredNormBounds(x, outputGradients, bias, lengths, method);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A sample with factor 0 was not finite. It is set to zero in the larger of x and g too, in place: cheaper than a copy, and what
    /// the layers before still read of such a sample is clipped by them as ever.
    /// </remarks>
    public override void AddWeightedGradient(Tensor x, Tensor g, Tensor factors, Tensor gradient, bool accumulate)
    {
        if (gradient.dtype != ScalarType.BFloat16 || !GramNorm.Takes(x) || !GramNorm.Takes(g))
        {
            base.AddWeightedGradient(x, g, factors, gradient, accumulate);
            return;
        }

        using var scope = NewDisposeScope();
        var (outSize, inSize) = (g.shape[2], x.shape[2]);
        var (left, right) = inSize <= outSize ? (g, _weigh.Apply(x, factors, g)) : (_weigh.Apply(g, factors, x), x);
        gradient.addmm_(left.reshape(-1, outSize).t(), right.reshape(-1, inSize), beta: accumulate ? 1 : 0, alpha: 1);
    }

    /// <inheritdoc/>
    public override void Update(Tensor parameter, Tensor? gradient, Tensor? moment, Tensor? secondMoment, in OptimizerStep step, in NoiseDraw noise)
    {
        if (NoiseUpdate.Takes(parameter, gradient, moment, secondMoment))
            _update.Apply(parameter, gradient, moment, secondMoment, step, noise);
        else
            base.Update(parameter, gradient, moment, secondMoment, step, noise);
    }
}
