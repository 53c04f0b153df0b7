using Chorus.Gpu.Cuda;
using Chorus.Gpu.Kernels;
using Chorus.Gpu.Tests.Cuda;
using CsCheck;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Kernels;

[Collection(TorchCollection.Name)]
public class GramNormTests
{
    [Fact]
    public void Given_any_number_of_tiles_When_divided_into_jobs_Then_each_is_whole_or_halved_and_halves_fit_one_wave() =>
        Gen.Select(Gen.Int[1, 5000], Gen.Int[1, 200]).Sample((tiles, multiprocessors) =>
        {
            var (whole, jobs) = GramNorm.Jobs(tiles, multiprocessors);
            var halved = tiles - whole;
            return whole >= 0 && halved >= 0 && jobs == whole + (2 * halved) && 2 * halved <= multiprocessors
                && (halved == 0 || whole % multiprocessors == 0);
        });

    [GpuFact(9)]
    public void Given_shapes_odd_and_large_When_normed_on_the_chip_Then_it_is_float64s_norm()
    {
        var gram = new GramNorm(CudaDevice.Of(0));
        foreach (var (b, t, p, d) in ((int, int, int, int)[])[(1, 1, 8, 8), (2, 1, 64, 64), (3, 200, 72, 136), (2, 130, 1000, 520), (8, 1024, 512, 768), (1, 129, 64, 4096)])
        {
            using var scope = NewDisposeScope();
            var x = randn(b, t, p, device: CUDA).to(ScalarType.BFloat16);
            var g = randn(b, t, d, device: CUDA).to(ScalarType.BFloat16);
            var norms = gram.SquaredNormBounds(x, [g]).cpu();
            for (var i = 0; i < b; i++)
            {
                var expected = g[i].to(ScalarType.Float64).t().mm(x[i].to(ScalarType.Float64)).square().sum().item<double>();
                Assert.InRange(norms[i].item<float>() / expected, 1, 1 + 2e-3);
            }
        }
    }

    [GpuFact(9)]
    public void Given_tensors_that_do_not_fit_When_normed_Then_the_message_says_what_would()
    {
        var gram = new GramNorm(CudaDevice.Of(0));
        using var x = zeros(2, 8, 12, dtype: ScalarType.BFloat16, device: CUDA);
        Assert.Contains("multiple of 8", Assert.Throws<ArgumentException>(() => gram.SquaredNormBounds(x, [x])).Message, StringComparison.Ordinal);
        using var g = zeros(3, 8, 16, dtype: ScalarType.BFloat16, device: CUDA);
        Assert.Throws<ArgumentException>(() => gram.SquaredNormBounds(x, [g]));
    }
}
