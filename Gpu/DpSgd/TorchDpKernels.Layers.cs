// Shapes: B samples, T time, V vocabulary, C channels
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

public partial class TorchDpKernels
{
    /// <inheritdoc/>
    public Tensor EmbeddingSquaredNormBounds(Tensor ids, Tensor g)
    {
        using var scope = NewDisposeScope();
        var (batch, time, channels) = (g.size(0), g.size(1), g.size(2));
        // Equal tokens of a sample lie side by side once sorted; each run of them has a row of its own to add up in.
        var (sorted, order) = ids.sort(1);
        var ranks = zeros([batch, time], ScalarType.Int64, g.device);
        if (time > 1)
            ranks.narrow(1, 1, time - 1).copy_(sorted.narrow(1, 1, time - 1).ne(sorted.narrow(1, 0, time - 1)).to_type(ScalarType.Int64).cumsum(1));
        long chunk = Math.Clamp(_scratch / Math.Max(1, 3 * time * channels), 1, Math.Max(1, batch));
        var bounds = new List<Tensor>();
        for (long first = 0; first < batch; first += chunk)
        {
            using var chunkScope = NewDisposeScope();
            long count = Math.Min(chunk, batch - first);
            var part = Wide(g.narrow(0, first, count));
            double u = Roundoff(part);
            var rows = (ranks.narrow(0, first, count) + arange(count, device: g.device).unsqueeze(1) * time).reshape(-1);
            var ordered = part.gather(1, order.narrow(0, first, count).unsqueeze(-1).expand(count, time, channels)).reshape(-1, channels);
            var sums = zeros([count * time, channels], part.dtype, g.device).index_add_(0, rows, ordered, 1).view(count, time, channels);
            var sizes = RowSquares(part).sqrt_().sum([1L]);
            bounds.Add((SumOfSquares(sums).mul_(1 + 8 * u).sqrt_() + sizes * Gamma(time + 2, u)).square().to_type(ScalarType.Float32).MoveToOuterDisposeScope());
        }
        return Joined(bounds, g.device).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void AddWeightedEmbedding(Tensor ids, Tensor g, Tensor factors, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var wide = AtLeastFloat(gradient);
        var rows = Weighted(g.to_type(wide), factors).reshape(-1, g.size(2));
        if (gradient.dtype == wide)
            gradient.index_add_(0, ids.reshape(-1), rows, 1);
        else // frequent tokens would be added up in half precision
            gradient.add_(zeros(gradient.shape, wide, g.device).index_add_(0, ids.reshape(-1), rows, 1));
    }

    /// <inheritdoc/>
    public Tensor TiedCrossBounds(Tensor headGradients, Tensor hidden, Tensor ids, Tensor embeddingGradients)
    {
        using var scope = NewDisposeScope();
        var (batch, time, channels) = (hidden.size(0), hidden.size(1), hidden.size(2));
        long chunk = Math.Clamp(_scratch / Math.Max(1, 3 * time * time + 2 * time * channels), 1, Math.Max(1, batch));
        var bounds = new List<Tensor>();
        for (long first = 0; first < batch; first += chunk)
        {
            using var chunkScope = NewDisposeScope();
            long count = Math.Min(chunk, batch - first);
            // Row t' of E^T D is d_t' in row id_t', so the inner product is sum_tt' L[t, id_t'] (h_t . d_t').
            var l = Wide(headGradients.narrow(0, first, count).gather(2, ids.narrow(0, first, count).unsqueeze(1).expand(count, time, time)));
            var (h, d) = (Wide(hidden.narrow(0, first, count)), Wide(embeddingGradients.narrow(0, first, count)));
            var products = h.matmul(d.transpose(1, 2));
            double u = Roundoff(h);
            var normL = SumOfSquares(l).sqrt_();
            var error = normL * ((SumOfSquares(h) * SumOfSquares(d)).sqrt_() * Gamma(channels + 2, u) + SumOfSquares(products).sqrt_() * u);
            bounds.Add(((Sum(l.to_type(ScalarType.Float64) * products) + error * (1 + 8 * u)) * 2).to_type(ScalarType.Float32).MoveToOuterDisposeScope());
        }
        return Joined(bounds, hidden.device).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public virtual (Tensor Input, Tensor Weight, Tensor? Bias) NormBackward(Tensor x, Tensor weight, Tensor g, double epsilon, bool centred)
    {
        using var scope = NewDisposeScope();
        var type = AtLeastFloat(x);
        var (wide, dout) = (x.to_type(type), g.to_type(type));
        if (centred)
            wide = wide - wide.mean([-1L], keepdim: true);
        var rstd = wide.square().mean([-1L], keepdim: true).add_(epsilon).rsqrt_();
        var normed = wide * rstd;
        var product = dout * normed;
        var weighted = dout * weight.to_type(type);
        var inner = weighted - normed * (weighted * normed).mean([-1L], keepdim: true);
        if (centred)
            inner.sub_(weighted.mean([-1L], keepdim: true));
        return (
            (inner * rstd).to_type(x.dtype).MoveToOuterDisposeScope(),
            product.sum([1L]).MoveToOuterDisposeScope(),
            centred ? dout.sum([1L]).MoveToOuterDisposeScope() : null);
    }
}
