// Shapes: B samples, T time, P inputs, D outputs, V vocabulary, C channels
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>The per-sample gradients of one clipping group for one micro-batch, in the factored form in which the backward pass has them.</summary>
internal abstract class SampleGradients
{
    /// <summary>Upper bounds on the squares of the whole group's norms, float32 [B].</summary>
    /// <param name="sumFollows">Whether <see cref="AddWeighted"/> is next, in the same scope: then what the norm was made from may be kept for it.</param>
    public abstract Tensor SquaredNormBounds(IDpKernels kernels, bool sumFollows = false);

    /// <summary>Adds sum_b factors_b gradient_b to each parameter's sum.</summary>
    public abstract void AddWeighted(IDpKernels kernels, Tensor factors);

    /// <summary>Each parameter's gradients as they are, [B, ...the parameter's shape]; only the references make them.</summary>
    public abstract IEnumerable<(ClippedParameter Parameter, Tensor Gradients)> Explicit();

    /// <summary>What it holds, to be kept past a backward pass.</summary>
    public abstract IEnumerable<Tensor> Tensors { get; }
}

/// <summary>Linear layers that read one input: G_i^T X of each sample, and the sums of G_i's rows for biases.</summary>
/// <param name="x">[B, T, P].</param>
/// <param name="outputs">[B, T, D_i] of every layer that has something to train; a frozen weight or a missing bias is null.</param>
/// <param name="lengths">int32 [B] or null, as <see cref="IDpKernels.SquaredNormBounds"/> has them.</param>
internal sealed class LinearSamples(
    Tensor x, IReadOnlyList<(Tensor G, ClippedParameter? Weight, ClippedParameter? Bias)> outputs, Tensor? lengths, NormMethod method) : SampleGradients
{
    public Tensor X => x;

    public IReadOnlyList<(Tensor G, ClippedParameter? Weight, ClippedParameter? Bias)> Outputs => outputs;

    public override IEnumerable<Tensor> Tensors => [x, .. outputs.Select(o => o.G)];

    private (ClippedParameter Parameter, Tensor Rows)[]? _kept;

    public override Tensor SquaredNormBounds(IDpKernels kernels, bool sumFollows = false)
    {
        if (sumFollows && outputs.All(o => o.Weight is not null) && kernels.Keeps(x, [.. outputs.Select(o => o.G)], method))
        {
            _kept = [.. Products(kernels)];
            return kernels.RowSquaredNorms([.. _kept.Select(k => k.Rows)]);
        }
        // One call does for layers that train alike; a mixture is summed up.
        Tensor? sum = null;
        foreach (var alike in outputs.GroupBy(o => (Weight: o.Weight is not null, Bias: o.Bias is not null)))
        {
            // A bias alone is a weight on a column of ones beside a column of zeros.
            using var none = alike.Key.Weight ? null : zeros([x.size(0), x.size(1), 1], x.dtype, x.device);
            var bounds = kernels.SquaredNormBounds(none ?? x, [.. alike.Select(o => o.G)], alike.Key.Bias, lengths, method);
            sum = sum is null ? bounds : sum.add_(bounds);
        }
        return sum!;
    }

    public override void AddWeighted(IDpKernels kernels, Tensor factors)
    {
        if (_kept is { } kept)
        {
            kernels.AddWeightedRows([.. kept.Select(k => (k.Rows, k.Parameter.Target(out bool accumulate).view(-1), accumulate))], factors);
            foreach (var (_, rows) in kept)
                rows.Dispose();
            _kept = null;
            return;
        }
        var products = outputs.Where(o => o.Weight is not null).Select(o => (o.G, o.Weight!.Target(out bool accumulate), accumulate)).ToArray();
        if (products.Length > 0)
            kernels.AddWeightedGradients(x, products, factors);
        foreach (var (g, _, bias) in outputs)
        {
            if (bias is not null)
                kernels.AddWeightedBias(g, factors, bias.Target(out bool accumulate), accumulate);
        }
    }

    private IEnumerable<(ClippedParameter, Tensor)> Products(IDpKernels kernels)
    {
        foreach (var (g, weight, bias) in outputs)
        {
            yield return (weight!, kernels.SampleProducts(x, g.narrow(2, 0, weight!.Parameter.size(0))));
            if (bias is not null)
                yield return (bias, g.sum([1L]));
        }
    }

    public override IEnumerable<(ClippedParameter, Tensor)> Explicit()
    {
        foreach (var (g, weight, bias) in outputs)
        {
            if (weight is not null)
                yield return (weight, g.narrow(2, 0, weight.Parameter.size(0)).transpose(1, 2).matmul(x));
            if (bias is not null)
                yield return (bias, g.sum([1L]));
        }
    }
}

/// <summary>An embedding: row id_t gets g_t.</summary>
internal sealed class EmbeddingSamples(Tensor ids, Tensor g, ClippedParameter weight) : SampleGradients
{
    public Tensor Ids => ids;

    public Tensor G => g;

    public override IEnumerable<Tensor> Tensors => [ids, g];

    public override Tensor SquaredNormBounds(IDpKernels kernels, bool sumFollows = false) => kernels.EmbeddingSquaredNormBounds(ids, g);

    public override void AddWeighted(IDpKernels kernels, Tensor factors) => kernels.AddWeightedEmbedding(ids, g, factors, weight.SetTarget());

    public override IEnumerable<(ClippedParameter, Tensor)> Explicit()
    {
        var (batch, rows) = (g.size(0), weight.Parameter.size(0));
        var places = (ids + arange(batch, device: ids.device).unsqueeze(1) * rows).reshape(-1);
        yield return (weight, zeros([batch * rows, g.size(2)], g.dtype, g.device).index_add_(0, places, g.reshape(-1, g.size(2)), 1).view(batch, rows, -1));
    }
}

/// <summary>One matrix in two places, the head and the embedding: a sample's gradient is the sum of both, L^T H + E^T D, and so is normed as one.</summary>
internal sealed class TiedSamples(LinearSamples head, EmbeddingSamples embedding) : SampleGradients
{
    public override IEnumerable<Tensor> Tensors => [.. head.Tensors, .. embedding.Tensors];

    public override Tensor SquaredNormBounds(IDpKernels kernels, bool sumFollows = false)
    {
        var bounds = head.SquaredNormBounds(kernels);
        bounds.add_(embedding.SquaredNormBounds(kernels));
        return bounds.add_(kernels.TiedCrossBounds(head.Outputs[0].G, head.X, embedding.Ids, embedding.G)).clamp_(min: 0);
    }

    public override void AddWeighted(IDpKernels kernels, Tensor factors)
    {
        head.AddWeighted(kernels, factors);
        embedding.AddWeighted(kernels, factors);
    }

    public override IEnumerable<(ClippedParameter, Tensor)> Explicit()
    {
        var (parameter, first) = head.Explicit().Single();
        yield return (parameter, first.add_(embedding.Explicit().Single().Item2));
    }
}

/// <summary>Gradients small enough to be there for each sample: norm layers, positions.</summary>
/// <param name="rows">For each parameter [B, N], and where in its sum they go: the first N numbers.</param>
internal sealed class RowSamples(IReadOnlyList<(ClippedParameter Parameter, Tensor Rows)> rows) : SampleGradients
{
    public override IEnumerable<Tensor> Tensors => rows.Select(r => r.Rows);

    public override Tensor SquaredNormBounds(IDpKernels kernels, bool sumFollows = false)
    {
        return kernels.RowSquaredNorms([.. rows.Select(r => r.Rows)]);
    }

    public override void AddWeighted(IDpKernels kernels, Tensor factors)
    {
        kernels.AddWeightedRows(
            [.. rows.Select(r =>
            {
                bool accumulate = true;
                var target = r.Rows.size(1) == r.Parameter.Parameter.numel() ? r.Parameter.Target(out accumulate) : r.Parameter.SetTarget();
                return (r.Rows, target.view(-1).narrow(0, 0, r.Rows.size(1)), accumulate);
            })],
            factors);
    }

    public override IEnumerable<(ClippedParameter, Tensor)> Explicit()
    {
        foreach (var (parameter, values) in rows)
        {
            var all = zeros([values.size(0), parameter.Parameter.numel()], values.dtype, values.device);
            all.narrow(1, 0, values.size(1)).copy_(values);
            yield return (parameter, all.view([values.size(0), .. parameter.Parameter.shape]));
        }
    }
}

/// <summary>Several that are clipped together, with no parameter in common.</summary>
internal sealed class JointSamples(params IReadOnlyList<SampleGradients> parts) : SampleGradients
{
    public IReadOnlyList<SampleGradients> Parts => parts;

    public override IEnumerable<Tensor> Tensors => parts.SelectMany(p => p.Tensors);

    public override Tensor SquaredNormBounds(IDpKernels kernels, bool sumFollows = false)
    {
        var sum = parts[0].SquaredNormBounds(kernels, sumFollows);
        foreach (var part in parts.Skip(1))
            sum.add_(part.SquaredNormBounds(kernels, sumFollows));
        return sum;
    }

    public override void AddWeighted(IDpKernels kernels, Tensor factors)
    {
        foreach (var part in parts)
            part.AddWeighted(kernels, factors);
    }

    public override IEnumerable<(ClippedParameter, Tensor)> Explicit() => parts.SelectMany(p => p.Explicit());
}
