// Shapes: B samples, T time, P inputs, D outputs
using Chorus.Gpu.DpSgd;
using CsCheck;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>The plain kernels against per-sample gradients in float64, written out.</summary>
[Collection(TorchCollection.Name)]
public sealed class TorchDpKernelsTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    // Odd sizes, T = 1, one sample; huge and tiny numbers.
    private static readonly Gen<(int B, int T, int P, int D, int D2, bool Bias, double Scale, int Type, int Scratch, int Seed)> Cases =
        Gen.Select(Gen.Select(Gen.Int[1, 4], Gen.Int[1, 17], Gen.Int[1, 19]), Gen.Select(Gen.Int[1, 13], Gen.Int[0, 7], Gen.Bool), Gen.Select(Gen.Double[-12, 12], Gen.Int[0, 2], Gen.Int[1, 200]), Gen.Int[0, 1 << 20])
            .Select((a, b, c, seed) => (a.Item1, a.Item2, a.Item3, b.Item1, b.Item2, b.Item3, Math.Pow(10, c.Item1), c.Item2, c.Item3, seed));

    [Fact]
    public void Given_half_precision_When_samples_are_weighed_Then_the_factor_itself_is_not_rounded()
    {
        using var scope = NewDisposeScope();
        var (x, g) = (randn(1, 1, 2048).to_type(ScalarType.BFloat16), ones([1, 1, 2048], ScalarType.BFloat16)); // x, no larger than g, is weighed
        foreach (float factor in new[] { 0.0707f, 0.6177f, 0.0301f }) // bfloat16 has them only to a thousandth or two
        {
            var sum = zeros([2048, 2048], ScalarType.Float32);
            new TorchDpKernels().AddWeightedGradients(x, [(g, sum, false)], tensor([factor]));
            double ratio = (sum[0].norm().item<float>() / x.to_type(ScalarType.Float64).norm().item<double>()) / factor;
            Assert.InRange(ratio, 1 - 4e-4, 1 + 4e-4); // 2,048 roundings of 2^-9 that know nothing of each other
        }
    }

    [Fact]
    public void Given_random_shapes_When_norms_are_bounded_Then_the_bound_is_above_the_norm_and_near_it() => Cases.Sample(c =>
    {
        using var scope = NewDisposeScope();
        var (x, gs, lengths) = Make(c);
        double[] exact = Exact(x, gs, c.Bias), size = Sizes(x, gs, c.Bias);
        foreach (var accumulation in new[] { ScalarType.Float64, ScalarType.Float32 })
        {
            var kernels = new TorchDpKernels(accumulation, c.Scratch);
            foreach (var method in new[] { NormMethod.Auto, NormMethod.Gram, NormMethod.Direct })
            {
                var bounds = kernels.SquaredNormBounds(x, gs, c.Bias, lengths, method).data<float>().ToArray();
                for (int b = 0; b < c.B; b++)
                {
                    Assert.True(bounds[b] >= exact[b] * (1 - 1.2e-7), $"{bounds[b]} < {exact[b]} ({method}, {accumulation})");
                    // A sum that cancels has an error of its terms' size.
                    double slack = accumulation == ScalarType.Float64 ? 1e-10 : 1e-4;
                    Assert.True(bounds[b] <= exact[b] * (1 + (accumulation == ScalarType.Float64 ? 1e-6 : 1e-3)) + slack * size[b], $"{bounds[b]} >> {exact[b]} ({method}, {accumulation})");
                }
            }
        }
    }, iter: 200, threads: 1);

    [Theory]
    [InlineData(ScalarType.Float32, 1e-4)]
    [InlineData(ScalarType.Float64, 1e-8)]
    public void Given_tokens_that_cancel_When_norms_are_bounded_Then_rounding_does_not_hide_what_is_left(ScalarType type, double difference)
    {
        // Two tokens with almost the same input and opposite gradients: the terms are large, the sum is what rounding leaves of it.
        var kernels = new TorchDpKernels(type);
        foreach (int inSize in new[] { 1, 8, 65 })
        {
            var first = randn([200, 1, inSize], ScalarType.Float64);
            var g = randn([200, 1, 9], ScalarType.Float64).to_type(type);
            var x = cat([first, first * (1 + randn([200, 1, inSize], ScalarType.Float64) * difference)], 1).to_type(type);
            var gs = cat([g, -g], 1);
            var exact = (g.to_type(ScalarType.Float64).square().sum([1L, 2L]) * (x.narrow(1, 0, 1) - x.narrow(1, 1, 1)).to_type(ScalarType.Float64).square().sum([1L, 2L])).data<double>().ToArray();
            foreach (var method in new[] { NormMethod.Gram, NormMethod.Direct })
                Assert.All(kernels.SquaredNormBounds(x, [gs], false, null, method).data<float>().ToArray().Zip(exact), b => Assert.True(b.First >= b.Second * (1 - 1.2e-7), $"{b.First} < {b.Second} ({method})"));
        }
    }

    [Fact]
    public void Given_random_shapes_When_weighted_sums_are_made_Then_they_are_the_sums_and_inputs_are_left() => Cases.Sample(c =>
    {
        using var scope = NewDisposeScope();
        var (x, gs, _) = Make(c);
        var g = gs[0];
        using var generator = new Generator((ulong)c.Seed + 1, CPU);
        var factors = rand([c.B], generator: generator);
        var (xBefore, gBefore) = (x.clone(), g.clone());
        var each = g.to_type(ScalarType.Float64).transpose(1, 2).matmul(x.to_type(ScalarType.Float64)) * factors.to_type(ScalarType.Float64).view(-1, 1, 1);
        var expected = each.sum([0L]);
        // Rounding is of the size of the terms, before they cancel.
        double size = (g.to_type(ScalarType.Float64).abs().transpose(1, 2).matmul(x.to_type(ScalarType.Float64).abs()) * factors.to_type(ScalarType.Float64).view(-1, 1, 1)).sum([0L]).square().sum().sqrt().item<double>();
        double tolerance = c.Type == 2 ? 1e-2 : 1e-5;
        var kernels = new TorchDpKernels();
        var gradient = full([c.D, c.P], double.NaN, x.dtype);
        kernels.AddWeightedGradients(x, [(g, gradient, false)], factors); // what was there does not matter
        Assert.True((gradient.to_type(ScalarType.Float64) - expected).square().sum().sqrt().item<double>() <= tolerance * size);
        kernels.AddWeightedGradients(x, [(g, gradient, true)], factors);
        Assert.True((gradient.to_type(ScalarType.Float64) - expected * 2).square().sum().sqrt().item<double>() <= 2 * tolerance * size);
        // A published kernel scales the output gradients in place, and with them what the layers before get.
        Assert.True(x.equal(xBefore).all().item<bool>() && g.equal(gBefore).all().item<bool>());

        var bias = full([c.D], double.NaN, x.dtype);
        kernels.AddWeightedBias(g, factors, bias, accumulate: false);
        var expectedBias = (g.to_type(ScalarType.Float64).sum([1L]) * factors.to_type(ScalarType.Float64).unsqueeze(1)).sum([0L]);
        double biasSize = g.to_type(ScalarType.Float64).abs().sum().item<double>();
        Assert.True((bias.to_type(ScalarType.Float64) - expectedBias).square().sum().sqrt().item<double>() <= tolerance * biasSize);
    }, iter: 100, threads: 1);

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Given_a_sample_that_is_not_finite_When_summed_Then_it_adds_exactly_nothing_and_is_flagged(double wrong)
    {
        var kernels = new TorchDpKernels();
        var (x, g) = (randn([3, 5, 4]), randn([3, 5, 6]));
        var ids = randint(0, 7, [3, 5], ScalarType.Int64);
        x[1, 2, 3] = wrong;
        g[1, 0, 0] = wrong;
        var flags = zeros([3], ScalarType.Byte);
        var factors = kernels.ClipFactors(kernels.SquaredNormBounds(x, [g], true, null, NormMethod.Auto), 1e9, ClipRule.Threshold, flags);
        Assert.Equal([1f, 0f, 1f], factors.data<float>().ToArray());
        Assert.Equal([0, 1, 0], flags.data<byte>().ToArray());
        var (gradient, bias, rows, table) = (empty([6, 4]), empty([6]), empty([6]), zeros([7, 6]));
        kernels.AddWeightedGradients(x, [(g, gradient, false)], factors);
        kernels.AddWeightedBias(g, factors, bias, false);
        kernels.AddWeightedRows([(g.select(1, 0).contiguous(), rows, false)], factors);
        kernels.AddWeightedEmbedding(ids, g, factors, table);
        var kept = tensor(new long[] { 0, 2 });
        Assert.True(gradient.allclose(g.index_select(0, kept).reshape(-1, 6).t().mm(x.index_select(0, kept).reshape(-1, 4)), 1e-5, 1e-5));
        foreach (var t in new[] { gradient, bias, rows, table })
            Assert.True(t.isfinite().all().item<bool>());
    }

    [Fact]
    public void Given_any_norm_When_weighed_Then_weight_times_norm_stays_below_the_threshold() => Gen.Select(Gen.Double[-30, 30], Gen.Double[-6, 6], Gen.Bool).Sample((n, c, auto) =>
    {
        using var scope = NewDisposeScope();
        float square = (float)Math.Pow(10, n);
        double threshold = Math.Pow(10, c);
        float factor = new TorchDpKernels().ClipFactors(tensor(new[] { square }), threshold, auto ? ClipRule.AutoS : ClipRule.Threshold, zeros([1], ScalarType.Byte)).item<float>();
        Assert.True(factor * Math.Sqrt(square) <= threshold);
        if (!auto)
            Assert.True(factor <= 1 && (factor == 1 || factor * Math.Sqrt(square) >= threshold * (1 - 2e-6)));
    }, iter: 500, threads: 1);

    [Fact]
    public void Given_a_norm_beyond_float32_When_weighed_Then_the_sample_is_left_out()
    {
        var x = full([1, 2, 3], 1e19f);
        var bounds = new TorchDpKernels().SquaredNormBounds(x, [x], false, null, NormMethod.Direct);
        var flags = zeros([1], ScalarType.Byte);
        Assert.Equal(0, new TorchDpKernels().ClipFactors(bounds, 1, ClipRule.Threshold, flags).item<float>());
        Assert.Equal(1, flags.item<byte>());
    }

    [Fact]
    public void Given_repeated_tokens_When_an_embedding_is_normed_Then_they_add_up_first() => Gen.Select(Gen.Int[1, 3], Gen.Int[1, 12], Gen.Int[1, 6], Gen.Int[1, 5], Gen.Int[1, 100]).Sample((b, t, c, vocabulary, scratch) =>
    {
        using var scope = NewDisposeScope();
        var ids = randint(0, vocabulary, [b, t], ScalarType.Int64);
        var g = randn([b, t, c], ScalarType.Float64);
        var oneHot = nn.functional.one_hot(ids, vocabulary).to_type(ScalarType.Float64);
        var exact = oneHot.transpose(1, 2).matmul(g).square().sum([1L, 2L]);
        AssertBound(exact, new TorchDpKernels(null, scratch).EmbeddingSquaredNormBounds(ids, g));
        var (table, factors) = (zeros([vocabulary, c], ScalarType.Float64), rand([b]));
        new TorchDpKernels().AddWeightedEmbedding(ids, g, factors, table);
        Assert.True(table.allclose((oneHot.transpose(1, 2).matmul(g) * factors.to_type(ScalarType.Float64).view(-1, 1, 1)).sum([0L]), 1e-9, 1e-9));

        // The same matrix as head: the whole is |L^T H + E^T D|^2.
        var (l, h) = (randn([b, t, vocabulary], ScalarType.Float64), randn([b, t, c], ScalarType.Float64));
        var both = (l.transpose(1, 2).matmul(h) + oneHot.transpose(1, 2).matmul(g)).square().sum([1L, 2L]);
        var kernels = new TorchDpKernels(null, scratch);
        var sum = kernels.SquaredNormBounds(h, [l], false, null, NormMethod.Auto) + kernels.EmbeddingSquaredNormBounds(ids, g) + kernels.TiedCrossBounds(l, h, ids, g);
        var parts = l.transpose(1, 2).matmul(h).square().sum([1L, 2L]) + exact;
        Assert.True(((sum.to_type(ScalarType.Float64) - both).abs() <= parts * 1e-6).all().item<bool>());
    }, iter: 100, threads: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Given_a_norm_layer_When_differentiated_Then_it_is_autograds(bool centred)
    {
        var x = randn([3, 5, 7], ScalarType.Float64).requires_grad_();
        var (weight, bias) = (randn([7], ScalarType.Float64).requires_grad_(), zeros([7], ScalarType.Float64).requires_grad_());
        var g = randn([3, 5, 7], ScalarType.Float64);
        var y = centred ? nn.functional.layer_norm(x, [7], weight, bias, 1e-5) : Gpu.Models.RmsNorm.Apply(x, weight, 1e-5);
        y.backward([g]);
        using var noGrad = no_grad();
        var (dx, dweight, dbias) = new TorchDpKernels().NormBackward(x.detach(), weight.detach(), g, 1e-5, centred);
        Assert.True(dx.allclose(x.grad!, 1e-9, 1e-9));
        Assert.True(dweight.sum([0L]).allclose(weight.grad!, 1e-9, 1e-9));
        Assert.Equal(centred, dbias is not null);
        if (dbias is not null)
            Assert.True(dbias.sum([0L]).allclose(bias.grad!, 1e-9, 1e-9));
        Assert.Equal([3, 7], dweight.shape);
    }

    [Theory]
    [InlineData(DpOptimizer.Sgd, 0.0, 0.0)]
    [InlineData(DpOptimizer.Sgd, 0.9, 0.1)]
    [InlineData(DpOptimizer.AdamW, 0.0, 0.1)]
    public void Given_no_noise_When_updated_Then_it_is_libtorchs_optimizer(DpOptimizer kind, double momentum, double decay)
    {
        var start = randn([7, 5]);
        var parameter = new TorchSharp.Modules.Parameter(start.clone());
        var ours = start.clone();
        var (m, v) = (zeros([7, 5]), zeros([7, 5]));
        using optim.Optimizer optimizer = kind == DpOptimizer.Sgd
            ? optim.SGD([parameter], 0.05, momentum, weight_decay: decay) : optim.AdamW([parameter], 0.05, weight_decay: decay);
        for (int t = 1; t <= 5; t++)
        {
            var gradient = randn([7, 5]);
            parameter.grad = gradient / 4;
            optimizer.step();
            new TorchDpKernels().Update(ours, gradient, m, v, OptimizerStep.Of(kind, t, 0.05, 0.25, decay, momentum, 0.9, 0.999, 1e-8), default);
        }
        Assert.True(ours.allclose(parameter.detach(), 1e-5, 1e-6));
    }

    [Fact]
    public void Given_noise_When_updated_without_a_gradient_Then_the_step_is_the_counters_draws()
    {
        var noise = new NoiseDraw(5, 2, 9, 3);
        var parameter = zeros([1031, 1021]); // more than one chunk, no multiple of four
        new TorchDpKernels().Update(parameter, null, null, null, new OptimizerStep(DpOptimizer.Sgd, 0.5f, 0.25f, 0, 0, 0, 0, 0, 1, 1), noise);
        var draws = new float[parameter.numel()];
        CounterNoise.Fill(draws, noise, 0);
        Assert.True(parameter.view(-1).allclose(tensor(draws) * (-0.5 * 0.25 * 3), 1e-6, 1e-6));
    }

    private static void AssertBound(Tensor exact, Tensor bounds)
    {
        var b = bounds.to_type(ScalarType.Float64);
        Assert.True((b >= exact * (1 - 1.2e-7)).all().item<bool>() && (b <= exact * (1 + 1e-6) + 1e-10).all().item<bool>());
    }

    private static (Tensor X, Tensor[] Gs, Tensor? Lengths) Make((int B, int T, int P, int D, int D2, bool Bias, double Scale, int Type, int Scratch, int Seed) c)
    {
        using var generator = new Generator((ulong)c.Seed, CPU);
        var type = c.Type switch { 0 => ScalarType.Float32, 1 => ScalarType.Float64, _ => ScalarType.BFloat16 };
        Tensor Draw(long size, double scale) => (randn([c.B, c.T, size], ScalarType.Float64, generator: generator) * scale).to_type(type);
        var x = Draw(c.P, 1);
        var gs = new List<Tensor> { Draw(c.D, c.Scale) };
        if (c.D2 > 0)
            gs.Add(Draw(c.D2, c.Scale));
        if (c.Seed % 2 == 0)
            return (x, [.. gs], null);
        // Rows beyond a sample's length have no gradient.
        var lengths = randint(0, c.T + 1, [c.B], ScalarType.Int32, generator: generator);
        var beyond = arange(c.T).unsqueeze(0).ge(lengths.unsqueeze(1)).unsqueeze(-1);
        return (x, [.. gs.Select(g => g.masked_fill(beyond, 0))], lengths);
    }

    private static double[] Exact(Tensor x, Tensor[] gs, bool bias)
    {
        var wide = x.to_type(ScalarType.Float64);
        if (bias)
            wide = cat([wide, ones([x.shape[0], x.shape[1], 1], ScalarType.Float64)], -1);
        return cat([.. gs.Select(g => g.to_type(ScalarType.Float64))], -1).transpose(1, 2).matmul(wide).square().sum([1L, 2L]).data<double>().ToArray();
    }

    // (sum_t |x_t| |g_t|)^2
    private static double[] Sizes(Tensor x, Tensor[] gs, bool bias)
    {
        var squares = x.to_type(ScalarType.Float64).square().sum([-1L]) + (bias ? 1 : 0);
        return (squares * gs.Select(g => g.to_type(ScalarType.Float64).square().sum([-1L])).Aggregate((a, b) => a + b)).sqrt().sum([1L]).square().data<double>().ToArray();
    }
}
