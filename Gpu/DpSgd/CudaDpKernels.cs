// Shapes: B samples, T time, P inputs, D outputs, C channels
using Chorus.Gpu.Cuda;
using Chorus.Gpu.Kernels;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>The sums of DP-SGD on a GPU: Chorus' own kernels where they take the tensors, libtorch's operators elsewhere.</summary>
public sealed class CudaDpKernels : TorchDpKernels
{
    // So much is lost in the memory of a step, and much of it stays in the cache.
    private const long MostKeptBytes = 128L << 20;

    private readonly GramNormSm90? _gramSm90;
    private readonly SampleNormsSm80? _normsSm80;
    private readonly SampleRows _rows;
    private readonly ClipFactors _factors;
    private readonly NormLayer _norm;
    private readonly NoiseUpdate _update;

    /// <exception cref="CudaException">There is no such device, or a kernel does not compile.</exception>
    public CudaDpKernels(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _gramSm90 = device.Capability.Major == 9 ? new GramNormSm90(device) : null;
        _normsSm80 = device.Capability.Major >= 8 ? new SampleNormsSm80(device) : null;
        _rows = new SampleRows(device);
        _factors = new ClipFactors(device);
        _norm = new NormLayer(device);
        _update = new NoiseUpdate(device);
    }

    /// <inheritdoc/>
    public override Tensor SquaredNormBounds(Tensor x, IReadOnlyList<Tensor> outputGradients, bool bias, Tensor? lengths, NormMethod method)
    {
        if (_normsSm80 is null || outputGradients.Count > GramBound.MostGradients || !SampleNormsSm80.Takes(x) || !outputGradients.All(g => SampleNormsSm80.Takes(g) && g.dtype == x.dtype))
            return base.SquaredNormBounds(x, outputGradients, bias, lengths, method);
        if (NormCost.Choose(method, x.size(1), x.size(2), OutSize(outputGradients), symmetric: true) == NormMethod.Direct)
            return _normsSm80.Direct(x, outputGradients, bias, lengths);
        return _gramSm90 is not null && GramNormSm90.Takes(x) && outputGradients.All(GramNormSm90.Takes)
            ? _gramSm90.SquaredNormBounds(x, outputGradients, bias, lengths)
            : _normsSm80.ByGram(x, outputGradients, bias, lengths);
    }

    /// <inheritdoc/>
    public override bool Keeps(Tensor x, IReadOnlyList<Tensor> outputGradients, NormMethod method)
    {
        if (method is not (NormMethod.Auto or NormMethod.Kept) || !SampleRows.Takes(x) || outputGradients.Any(g => g.dtype != x.dtype))
            return false;
        var (time, inSize, outSize, bytes) = (x.size(1), x.size(2), OutSize(outputGradients), (int)x.element_size());
        return x.size(0) * inSize * outSize * bytes <= MostKeptBytes
            && (method == NormMethod.Kept || NormCost.Kept(inSize, outSize, bytes) < Math.Min(NormCost.Gram(time, inSize, outSize, symmetric: true), NormCost.Direct(time, inSize, outSize)));
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A sample with factor 0 was not finite. It is set to zero in what is not weighed too, in place: cheaper than a copy, and what
    /// the layers before still read of such a sample is clipped by them as ever.
    /// </remarks>
    public override void AddWeightedGradients(Tensor x, IReadOnlyList<(Tensor G, Tensor Sum, bool Accumulate)> products, Tensor factors)
    {
        if (products.Count > SampleRows.MostOthers || !SampleRows.Takes(x) || products.Any(p => p.G.dtype != x.dtype || !p.G.is_contiguous()))
        {
            base.AddWeightedGradients(x, products, factors);
            return;
        }
        using var scope = NewDisposeScope();
        long inSize = x.size(2);
        if (inSize <= OutSize([.. products.Select(p => p.G)]))
        {
            var right = _rows.Weighted(x, factors, [.. products.Select(p => p.G)]).reshape(-1, inSize);
            foreach (var (g, sum, accumulate) in products)
                AddProduct(Transposed(g, sum), right, sum, accumulate);
            return;
        }
        foreach (var (g, sum, accumulate) in products)
            AddProduct(Transposed(_rows.Weighted(g, factors, x), sum), x.reshape(-1, inSize), sum, accumulate);
    }

    /// <inheritdoc/>
    public override Tensor RowSquaredNorms(params IReadOnlyList<Tensor> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return rows.Count <= SampleRows.MostMatrices && rows.All(r => SampleRows.Takes(r) && r.dtype == rows[0].dtype) ? _rows.SquaredNormBounds(rows) : base.RowSquaredNorms(rows);
    }

    /// <inheritdoc/>
    public override void AddWeightedRows(IReadOnlyList<(Tensor Rows, Tensor Sum, bool Accumulate)> matrices, Tensor factors)
    {
        ArgumentNullException.ThrowIfNull(matrices);
        var (rowType, sumType) = (matrices[0].Rows.dtype, matrices[0].Sum.dtype);
        if (matrices.Count <= SampleRows.MostMatrices && matrices.All(m => SampleRows.Takes(m.Rows) && SampleRows.Takes(m.Sum) && m.Rows.dtype == rowType && m.Sum.dtype == sumType))
            _rows.AddWeighted(matrices, factors);
        else
            base.AddWeightedRows(matrices, factors);
    }

    /// <inheritdoc/>
    public override Tensor ClipFactors(Tensor squaredNormBounds, double threshold, ClipRule rule, Tensor notFinite) =>
        squaredNormBounds.dtype == ScalarType.Float32 && rule is ClipRule.Threshold or ClipRule.AutoS
            ? _factors.Apply(squaredNormBounds, (float)Covered(threshold), rule == ClipRule.AutoS, AutoSStability, notFinite)
            : base.ClipFactors(squaredNormBounds, threshold, rule, notFinite);

    /// <inheritdoc/>
    public override (Tensor Input, Tensor Weight, Tensor? Bias) NormBackward(Tensor x, Tensor weight, Tensor g, double epsilon, bool centred)
    {
        if (!NormLayer.Takes(x, weight) || !NormLayer.Takes(g, weight))
            return base.NormBackward(x, weight, g, epsilon, centred);
        var (dx, dweight, dbias) = _norm.Backward(x, weight, g, epsilon, centred, weights: true);
        return (dx, dweight!, dbias);
    }

    /// <inheritdoc/>
    public override void Update(Tensor parameter, Tensor? gradient, Tensor? moment, Tensor? secondMoment, in OptimizerStep step, in NoiseDraw noise)
    {
        if (NoiseUpdate.Takes(parameter, gradient, moment, secondMoment))
            _update.Apply(parameter, gradient, moment, secondMoment, step, noise);
        else
            base.Update(parameter, gradient, moment, secondMoment, step, noise);
    }

    private static long OutSize(IReadOnlyList<Tensor> gradients) => gradients.Sum(g => g.size(2));
}
