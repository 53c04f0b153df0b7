// Shapes: B samples, T time, P inputs, D outputs, V vocabulary, C channels
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>The sums of DP-SGD by libtorch's own operators, on any device: what the CUDA kernels are compared with, and the CPU's way.</summary>
/// <remarks>
/// Norms are bounded by standard forward error analysis. A product of n terms in arithmetic of unit roundoff u is off by at most
/// gamma(n) = n u / (1 - n u) times the sum of the terms' sizes (Higham, "Accuracy and Stability", section 3.1), in whatever order
/// it is summed; sums over tiles are taken in float64.
/// Gram: with A = X X^T and B = G G^T as computed, the sum of A B is off by at most
/// gamma(P) |X|^2 |B| + gamma(D) |G|^2 |A| + u |A| |B| up to terms of second order, which are included (Cauchy and Schwarz).
/// Direct: G^T X is off by at most gamma(T) sum_t |g_t| |x_t| in norm.
/// </remarks>
/// <param name="accumulation">Float64 or Float32, in which products are made; null is Float64 on the CPU and Float32 elsewhere.</param>
/// <param name="scratchElements">The most numbers that a temporary holds, save one sample's row of tiles.</param>
public partial class TorchDpKernels(ScalarType? accumulation = null, long scratchElements = 1L << 24) : IDpKernels
{
    private readonly ScalarType? _accumulation = accumulation is null or ScalarType.Float64 or ScalarType.Float32 ? accumulation
        : throw new ArgumentException($"accumulation must be Float64, Float32 or null, got {accumulation}", nameof(accumulation));

    private readonly long _scratch = scratchElements > 0 ? scratchElements
        : throw new ArgumentOutOfRangeException(nameof(scratchElements), $"scratchElements must be at least 1, got {scratchElements}");

    /// <inheritdoc/>
    public virtual Tensor SquaredNormBounds(Tensor x, IReadOnlyList<Tensor> outputGradients, bool bias, Tensor? lengths, NormMethod method)
    {
        using var scope = NewDisposeScope();
        var (batch, time, inSize) = (x.size(0), x.size(1), x.size(2));
        long outSize = outputGradients.Sum(g => g.size(2));
        var chosen = NormCost.Choose(method, time, inSize + (bias ? 1 : 0), outSize, symmetric: false);
        long perSample = time * (inSize + outSize) + (chosen == NormMethod.Gram ? 2 * time * time : inSize * outSize);
        long chunk = Math.Clamp(_scratch / Math.Max(1, perSample), 1, Math.Max(1, batch));
        var bounds = new List<Tensor>();
        for (long first = 0; first < batch; first += chunk)
        {
            using var chunkScope = NewDisposeScope();
            long count = Math.Min(chunk, batch - first);
            var rows = Wide(x.narrow(0, first, count));
            var gs = outputGradients.Select(g => Wide(g.narrow(0, first, count))).ToArray();
            if (lengths is not null)
            {
                var beyond = arange(time, device: x.device).unsqueeze(0).ge(lengths.narrow(0, first, count).unsqueeze(1)).unsqueeze(-1);
                rows = rows.masked_fill(beyond, 0);
                gs = [.. gs.Select(g => g.masked_fill(beyond, 0))];
            }
            var bound = chosen == NormMethod.Gram ? ByGram(rows, gs, bias) : ByDirect(rows, gs, bias);
            bounds.Add(bound.to_type(ScalarType.Float32).MoveToOuterDisposeScope());
        }
        return Joined(bounds, x.device).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public virtual bool Keeps(Tensor x, IReadOnlyList<Tensor> outputGradients, NormMethod method) => method == NormMethod.Kept;

    /// <inheritdoc/>
    public Tensor SampleProducts(Tensor x, Tensor g)
    {
        using var scope = NewDisposeScope();
        return g.transpose(1, 2).bmm(x).view(x.size(0), -1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public virtual void AddWeightedGradients(Tensor x, IReadOnlyList<(Tensor G, Tensor Sum, bool Accumulate)> products, Tensor factors)
    {
        foreach (var (g, sum, accumulate) in products)
        {
            using var scope = NewDisposeScope();
            bool weighInput = x.size(2) <= g.size(2); // the smaller side
            var (left, right) = (weighInput ? g : Weighted(g, factors), weighInput ? Weighted(x, factors) : x);
            (left, right) = weighInput ? (Kept(left, factors), right) : (left, Kept(right, factors));
            AddProduct(Transposed(left, sum), right.reshape(-1, x.size(2)), sum, accumulate);
        }
    }

    /// <inheritdoc/>
    public void AddWeightedBias(Tensor g, Tensor factors, Tensor gradient, bool accumulate)
    {
        using var scope = NewDisposeScope();
        AddWeightedRows([(g.sum([1L], type: AtLeastFloat(g)), gradient, accumulate)], factors);
    }

    /// <inheritdoc/>
    public virtual Tensor RowSquaredNorms(params IReadOnlyList<Tensor> rows)
    {
        using var scope = NewDisposeScope();
        return rows.Select(RowSquares).Aggregate((a, b) => a + b).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public virtual void AddWeightedRows(IReadOnlyList<(Tensor Rows, Tensor Sum, bool Accumulate)> matrices, Tensor factors)
    {
        foreach (var (rows, sum, accumulate) in matrices)
        {
            using var scope = NewDisposeScope();
            var wide = rows.to_type(AtLeastFloat(rows));
            AddProduct(factors.to_type(wide.dtype).unsqueeze(0), Kept(wide, factors), sum.view(1, -1), accumulate);
        }
    }

    /// <inheritdoc/>
    public virtual Tensor ClipFactors(Tensor squaredNormBounds, double threshold, ClipRule rule, Tensor notFinite)
    {
        using var scope = NewDisposeScope();
        var finite = squaredNormBounds.isfinite();
        notFinite.logical_or_(finite.logical_not());
        var norms = squaredNormBounds.sqrt();
        var factors = rule switch
        {
            ClipRule.Threshold => (Covered(threshold) / norms).clamp(max: 1),
            ClipRule.AutoS => Covered(threshold) / (norms + AutoSStability),
            _ => throw new NotSupportedException($"clip rule {rule}"),
        };
        return where(finite, factors, zeros_like(factors)).MoveToOuterDisposeScope();
    }

    internal const double AutoSStability = 0.01;

    // Root, quotient and the rounding of the bound to float32 are each off by 2^-24 of themselves at most.
    private protected static double Covered(double threshold) => threshold * (1 - 1.0 / (1 << 20));

    // [n] float64
    private Tensor ByGram(Tensor x, Tensor[] gs, bool bias)
    {
        long time = x.size(1);
        double u = Roundoff(x), gammaX = Gamma(x.size(2) + 2, u), gammaG = Gamma(gs.Sum(g => g.size(2)) + 1, u);
        var (product, squareA, squareB) = (Zeros(x), Zeros(x), Zeros(x));
        long rows = Math.Clamp(_scratch / (2 * time * x.size(0)), 1, time);
        for (long first = 0; first < time; first += rows)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(rows, time - first);
            var a = x.narrow(1, first, count).matmul(x.transpose(1, 2));
            if (bias)
                a.add_(1);
            var b = gs[0].narrow(1, first, count).matmul(gs[0].transpose(1, 2));
            foreach (var g in gs.Skip(1))
                b.add_(g.narrow(1, first, count).matmul(g.transpose(1, 2)));
            (a, b) = (a.to_type(ScalarType.Float64), b.to_type(ScalarType.Float64)); // else squares of large gradients pass float32's range
            product.add_(Sum(a * b));
            squareA.add_(Sum(a.square()));
            squareB.add_(Sum(b.square()));
        }
        var (normA, normB) = (squareA.sqrt_(), squareB.sqrt_());
        var squareX = SumOfSquares(x);
        if (bias)
            squareX.add_(time);
        var squareG = gs.Select(SumOfSquares).Aggregate((s, t) => s + t);
        var errorA = squareX * gammaX;
        var errorB = squareG * gammaG;
        return ((product + errorA * (normB + errorB) + errorB * normA + normA * normB * u) * (1 + 8 * u)).clamp(min: 0);
    }

    // [n] float64
    private Tensor ByDirect(Tensor x, Tensor[] gs, bool bias)
    {
        double u = Roundoff(x), gamma = Gamma(x.size(1) + 2, u);
        var squares = Zeros(x);
        foreach (var g in gs)
        {
            long columns = Math.Clamp(_scratch / (x.size(0) * x.size(2)), 1, g.size(2));
            for (long first = 0; first < g.size(2); first += columns)
            {
                using var scope = NewDisposeScope();
                squares.add_(SumOfSquares(g.narrow(2, first, Math.Min(columns, g.size(2) - first)).transpose(1, 2).matmul(x)));
            }
            if (bias)
                squares.add_(RowSquares(g.sum([1L])));
        }
        var squareX = RowSquares(x);
        if (bias)
            squareX.add_(1);
        var squareG = gs.Select(RowSquares).Aggregate((s, t) => s + t);
        return (squares.mul_(1 + 8 * u).sqrt_() + (squareX * squareG).sqrt_().sum([1L]) * gamma).square();
    }

    private static double Gamma(double terms, double u) => terms * u / (1 - terms * u);

    private static double Roundoff(Tensor x) => x.dtype == ScalarType.Float64 ? Math.ScaleB(1, -53) : Math.ScaleB(1, -24);

    private static Tensor Zeros(Tensor x) => zeros([x.size(0)], ScalarType.Float64, x.device);

    private static Tensor Sum(Tensor x) => x.sum([1L, 2L], type: ScalarType.Float64);

    private static Tensor SumOfSquares(Tensor x) => Sum(x.to_type(ScalarType.Float64).square());

    private static Tensor RowSquares(Tensor x) => x.to_type(ScalarType.Float64).square().sum([-1L]);

    private Tensor Wide(Tensor x) => x.to_type(_accumulation ?? (x.device_type == TorchSharp.DeviceType.CPU || x.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32));

    private static ScalarType AtLeastFloat(Tensor x) => x.dtype is ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;

    private static Tensor Joined(List<Tensor> parts, Device device) => parts.Count switch
    {
        0 => zeros([0], ScalarType.Float32, device),
        1 => parts[0],
        _ => cat(parts, 0),
    };

    // factors_b x_b, and zero where the factor is, whatever x holds. The product is rounded, number by number; a factor that was itself rounded to half
    // precision would lift a whole sample above its threshold by up to 2^-9.
    private static Tensor Weighted(Tensor x, Tensor factors) => Kept((x.to_type(AtLeastFloat(x)) * PerSample(factors, x).to_type(AtLeastFloat(x))).to_type(x.dtype), factors);

    private static Tensor Kept(Tensor x, Tensor factors) => x.masked_fill(PerSample(factors, x).eq(0), 0);

    private static Tensor PerSample(Tensor factors, Tensor x) => factors.view([-1, .. Enumerable.Repeat(1L, (int)x.dim() - 1)]);

    /// <summary>Rows [B, T, D'] as the left side [D, B T] of a product for a sum [D, P].</summary>
    private protected static Tensor Transposed(Tensor rows, Tensor sum) => rows.reshape(-1, rows.size(2)).narrow(1, 0, sum.size(0)).t();

    /// <summary>gradient = (accumulate ? gradient : 0) + left right; addmm_ needs one type throughout.</summary>
    private protected static void AddProduct(Tensor left, Tensor right, Tensor gradient, bool accumulate)
    {
        if (left.dtype == gradient.dtype)
            gradient.addmm_(left, right, beta: accumulate ? 1 : 0, alpha: 1);
        else if (accumulate)
            gradient.add_(left.mm(right));
        else
            gradient.copy_(left.mm(right));
    }
}
