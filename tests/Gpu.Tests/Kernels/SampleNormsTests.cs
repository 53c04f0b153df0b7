using Chorus.Gpu.Cuda;
using Chorus.Gpu.Kernels;
using Chorus.Gpu.Tests.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Kernels;

/// <summary>The kernels that norm samples, against float64: never below it, and above it by no more than the error bound that is added and 2e-4.</summary>
[Collection(TorchCollection.Name)]
public sealed class SampleNormsTests : IDisposable
{
    // B, T, P, D1, D2, D3 (0: none): tiles whole and ragged, one sample, one token, fewer tiles than multiprocessors and many more.
    private static readonly int[][] Shapes =
    [
        [1, 1, 8, 8, 0, 0], [2, 1, 64, 64, 0, 0], [3, 200, 72, 136, 0, 0], [2, 130, 1000, 520, 0, 0], [8, 1024, 512, 768, 0, 0], [1, 129, 64, 4096, 0, 0],
        [5, 384, 256, 256, 128, 64], [32, 128, 512, 512, 0, 0], [1, 2048, 128, 72, 0, 0], [16, 65, 1024, 1024, 256, 256],
    ];

    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [GpuFact(9)]
    public void Given_shapes_odd_and_large_When_normed_from_Gram_tiles_on_Hopper_Then_it_is_float64s_norm()
    {
        var norms = new GramNormSm90(CudaDevice.Of(0));
        foreach (var type in new[] { ScalarType.BFloat16, ScalarType.Float16 })
            Compare(type, Shapes, norms.SquaredNormBounds);
    }

    [GpuFact(8)]
    public void Given_shapes_odd_and_large_When_normed_from_Gram_tiles_by_mma_Then_it_is_float64s_norm()
    {
        var norms = new SampleNormsSm80(CudaDevice.Of(0));
        foreach (var type in new[] { ScalarType.BFloat16, ScalarType.Float16 })
            Compare(type, [.. Shapes, [3, 131, 77, 53, 0, 0], [2, 40, 1, 1, 0, 0], [2, 300, 129, 7, 9, 0]], norms.ByGram);
    }

    [GpuFact(8)]
    public void Given_shapes_odd_and_large_When_normed_from_the_gradients_tiles_Then_it_is_float64s_norm()
    {
        var norms = new SampleNormsSm80(CudaDevice.Of(0));
        foreach (var type in new[] { ScalarType.BFloat16, ScalarType.Float16 })
            Compare(type, [.. Shapes, [3, 131, 77, 53, 0, 0], [2, 40, 1, 1, 0, 0], [2, 300, 129, 7, 9, 0]], norms.Direct);
    }

    [GpuFact(9)]
    public void Given_numbers_huge_and_tiny_When_normed_Then_bounds_hold_and_what_passes_float32_is_not_finite()
    {
        var (sm90, sm80) = (new GramNormSm90(CudaDevice.Of(0)), new SampleNormsSm80(CudaDevice.Of(0)));
        foreach (var scale in new[] { 1e-12, 1e-6, 1e4, 1e7 }) // at 1e9 the sum of A^2, which the error bound needs, passes float32
        {
            using var scope = NewDisposeScope();
            var (x, g) = ((randn(2, 150, 64) * scale).to(ScalarType.BFloat16).cuda(), randn(2, 150, 96).to(ScalarType.BFloat16).cuda());
            foreach (var bounds in new[] { sm90.SquaredNormBounds(x, [g]), sm80.ByGram(x, [g]), sm80.Direct(x, [g]) })
                AssertBounds(bounds, x, [g], false);
        }
        var huge = full([1, 128, 64], 1e30, dtype: ScalarType.BFloat16, device: CUDA);
        foreach (var bounds in new[] { sm90.SquaredNormBounds(huge, [huge]), sm80.ByGram(huge, [huge]), sm80.Direct(huge, [huge]) })
            Assert.False(double.IsFinite(bounds.cpu().item<float>()));
    }

    [GpuFact(9)]
    public void Given_one_sample_that_is_not_finite_When_normed_Then_the_others_are_as_without_it()
    {
        var x = randn(4, 200, 64).to(ScalarType.BFloat16).cuda();
        var g = randn(4, 200, 96).to(ScalarType.BFloat16).cuda();
        var (sm90, sm80) = (new GramNormSm90(CudaDevice.Of(0)), new SampleNormsSm80(CudaDevice.Of(0)));
        foreach (var norm in new Func<Tensor, Tensor>[] { v => sm90.SquaredNormBounds(x, [v]), v => sm80.ByGram(x, [v]), v => sm80.Direct(x, [v]) })
        {
            var before = norm(g).cpu().data<float>().ToArray();
            var spoilt = g.clone();
            spoilt[2, 150, 3] = float.NaN;
            var after = norm(spoilt).cpu().data<float>().ToArray();
            Assert.Equal([before[0], before[1], before[3]], [after[0], after[1], after[3]]);
            Assert.False(float.IsFinite(after[2]));
        }
    }

    [GpuFact(9)]
    public void Given_lengths_When_normed_Then_rows_beyond_them_do_not_count()
    {
        int[] lengths = [0, 1, 128, 129, 300];
        var x = randn(5, 300, 64).to(ScalarType.BFloat16).cuda();
        var inside = arange(300).unsqueeze(0).lt(tensor(lengths).unsqueeze(1)).unsqueeze(-1);
        var g = (randn(5, 300, 96) * inside).to(ScalarType.BFloat16).cuda();
        var given = tensor(lengths).cuda();
        var (sm90, sm80) = (new GramNormSm90(CudaDevice.Of(0)), new SampleNormsSm80(CudaDevice.Of(0)));
        foreach (var bounds in new[] { sm90.SquaredNormBounds(x, [g], true, given), sm80.ByGram(x, [g], true, given), sm80.Direct(x, [g], true, given) })
            AssertBounds(bounds, x, [g], true);
    }

    [GpuFact(9)]
    public void Given_the_same_inputs_When_normed_again_Then_the_bits_are_the_same()
    {
        var (x, g) = (randn(8, 700, 512).to(ScalarType.BFloat16).cuda(), randn(8, 700, 1000).to(ScalarType.BFloat16).cuda());
        var norms = new GramNormSm90(CudaDevice.Of(0));
        var first = norms.SquaredNormBounds(x, [g]).cpu().data<float>().ToArray();
        for (int i = 0; i < 50; i++)
            Assert.Equal(first, norms.SquaredNormBounds(x, [g]).cpu().data<float>().ToArray());
    }

    [GpuFact(9)]
    public void Given_tensors_that_do_not_fit_When_normed_Then_the_message_says_what_would()
    {
        var norms = new GramNormSm90(CudaDevice.Of(0));
        var x = zeros(2, 8, 12, dtype: ScalarType.BFloat16, device: CUDA);
        Assert.Contains("multiple of 8", Assert.Throws<ArgumentException>(() => { norms.SquaredNormBounds(x, [x]); }).Message, StringComparison.Ordinal);
        var g = zeros(3, 8, 16, dtype: ScalarType.BFloat16, device: CUDA);
        Assert.Throws<ArgumentException>(() => { norms.SquaredNormBounds(x, [g]); });
    }

    private static void Compare(ScalarType type, int[][] shapes, Func<Tensor, IReadOnlyList<Tensor>, bool, Tensor?, Tensor> norm)
    {
        foreach (var s in shapes)
        {
            foreach (bool bias in new[] { false, true })
            {
                using var scope = NewDisposeScope();
                var x = randn(s[0], s[1], s[2]).to(type).cuda();
                Tensor[] gs = [.. s.Skip(3).Where(d => d > 0).Select(d => randn(s[0], s[1], d).to(type).cuda())];
                AssertBounds(norm(x, gs, bias, null), x, gs, bias);
            }
        }
    }

    private static void AssertBounds(Tensor bounds, Tensor x, IReadOnlyList<Tensor> gs, bool bias)
    {
        using var scope = NewDisposeScope();
        var wide = x.to(ScalarType.Float64);
        for (int b = 0; b < x.shape[0]; b++)
        {
            var a = wide[b].mm(wide[b].t()) + (bias ? 1 : 0);
            var c = gs.Select(g => g[b].to(ScalarType.Float64)).Select(g => g.mm(g.t())).Aggregate((p, q) => p + q);
            double Of(Tensor t) => t.cpu().item<double>();
            double exact = Of((a * c).sum()), gammaX = GramBound.Gamma(x.shape[2]), gammaG = GramBound.Gamma(gs.Sum(g => g.shape[2])), gammaT = GramBound.Gamma(x.shape[1]);
            const double U = 1.0 / (1 << 20); // of the sum of A C itself
            double gram = gammaX * Of(a.trace()) * (Of(c.norm()) + gammaG * Of(c.trace())) + gammaG * Of(c.trace()) * Of(a.norm()) + U * Of(a.norm()) * Of(c.norm());
            double direct = Math.Pow(Math.Sqrt(exact) + gammaT * Of((a.diagonal() * c.diagonal()).sqrt().sum()), 2) - exact;
            double bound = bounds[b].cpu().item<float>();
            // A sum of tiles may lie above the exact one by as much as the margin that is added to it.
            Assert.True(
                bound >= exact * (1 - 1e-7) && bound <= exact * (1 + 4e-4) + Math.Max(2 * gram, 1.1 * direct) + 2e-3 * Math.Sqrt(exact) * (x.shape[2] < 8 ? 1 : 0) + 1e-37,
                $"[{string.Join(", ", x.shape)}] {x.dtype}, sample {b}: bound {bound:R}, exact {exact:R}, ratio - 1 {bound / exact - 1:E2}");
        }
    }
}
