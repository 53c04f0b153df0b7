using Chorus.Gpu.Cuda;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Kernels;
using Chorus.Gpu.Tests.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Kernels;

[Collection(TorchCollection.Name)]
public sealed class SampleRowsTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [GpuFact(8)]
    public void Given_rows_of_any_type_and_length_When_normed_and_summed_Then_it_is_float64s()
    {
        var rows = new SampleRows(CudaDevice.Of(0));
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16 })
        {
            foreach (var n in new[] { 1, 7, 8, 1000, 70_000, 600_001 })
            {
                using var scope = NewDisposeScope();
                var (a, b) = (randn(5, n).to(type).cuda(), randn(5, 24).to(type).cuda());
                var exact = (a.to(ScalarType.Float64).square().sum([1L]) + b.to(ScalarType.Float64).square().sum([1L])).cpu().data<double>().ToArray();
                var bounds = rows.SquaredNormBounds(a, b).cpu().data<float>().ToArray();
                Assert.All(exact.Zip(bounds), p => Assert.InRange(p.Second / p.First, 1 - 1e-7, 1 + 1e-3));
                var factors = tensor(new[] { 0.5f, 0, 1, 0.001f, 2 }).cuda();
                a[1].fill_(float.NaN);
                var sum = full([n], 3f, device: CUDA);
                var few = zeros(24, device: CUDA);
                rows.AddWeighted([(a, sum, true), (b, few, false)], factors);
                Assert.InRange((few - factors.unsqueeze(0).mm(b.to(ScalarType.Float32)).view(-1)).abs().max().cpu().item<float>(), 0, 1e-5f);
                using var left = a.to(ScalarType.Float64).index_select(0, tensor(new long[] { 0, 2, 3, 4 }).cuda());
                var wanted = 3 + tensor(new[] { 0.5, 1, 0.001f, 2 }).cuda().unsqueeze(0).mm(left).view(-1);
                Assert.InRange((sum - wanted).abs().max().cpu().item<double>(), 0, 1e-5);
            }
        }
    }

    [GpuFact(8)]
    public void Given_factors_When_samples_are_weighed_Then_those_of_factor_0_are_zero_in_all()
    {
        var rows = new SampleRows(CudaDevice.Of(0));
        foreach (var (t, p, d) in new[] { (3, 8, 16), (5, 7, 9) })
        {
            var (x, g, h) = (randn(3, t, p).to(ScalarType.BFloat16).cuda(), randn(3, t, d).to(ScalarType.BFloat16).cuda(), randn(3, t, p).to(ScalarType.BFloat16).cuda());
            var (gBefore, hBefore) = (g.clone(), h.clone());
            g[1, 0, 0] = float.NaN;
            var weighed = rows.Weighted(x, tensor(new[] { 0.25f, 0, 3 }).cuda(), g, h);
            Assert.True(weighed[0].equal(x[0] * 0.25f).all().item<bool>() && weighed[2].equal(x[2] * 3).all().item<bool>());
            foreach (var zero in new[] { weighed[1], g[1], h[1] })
                Assert.Equal(0, zero.abs().sum().to(ScalarType.Float32).cpu().item<float>());
            Assert.True(g[0].equal(gBefore[0]).all().item<bool>() && h[2].equal(hBefore[2]).all().item<bool>());
        }
    }

    [GpuFact(8)]
    public void Given_norms_When_factors_are_made_Then_they_are_those_of_the_plain_kernels()
    {
        var (cuda, plain) = (new CudaDpKernels(CudaDevice.Of(0)), new TorchDpKernels());
        var bounds = tensor(new[] { 1e-38f, 1e-30f, 0.25f, 1f, 4f, 1e30f, float.PositiveInfinity, float.NaN, 0 });
        foreach (var rule in new[] { ClipRule.Threshold, ClipRule.AutoS })
        {
            var (flags, expectedFlags) = (zeros([9], ScalarType.Byte, CUDA), zeros([9], ScalarType.Byte, CPU));
            var factors = cuda.ClipFactors(bounds.cuda(), 0.7, rule, flags).cpu().data<float>().ToArray();
            var expected = plain.ClipFactors(bounds, 0.7, rule, expectedFlags).data<float>().ToArray();
            Assert.All(factors.Zip(expected), p => Assert.True(p.First == p.Second || Math.Abs(p.First - p.Second) <= 2e-7f * p.Second, $"{p}"));
            Assert.Equal(expectedFlags.data<byte>().ToArray(), flags.cpu().data<byte>().ToArray());
        }
    }
}
