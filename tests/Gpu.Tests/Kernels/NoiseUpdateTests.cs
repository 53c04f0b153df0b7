using Chorus.Gpu.Cuda;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Kernels;
using Chorus.Gpu.Tests.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Kernels;

[Collection(TorchCollection.Name)]
public sealed class NoiseUpdateTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [GpuFact(8)]
    public void Given_any_type_length_and_optimizer_When_updated_Then_it_is_the_plain_kernels_update()
    {
        var (update, plain) = (new NoiseUpdate(CudaDevice.Of(0)), new TorchDpKernels());
        var noise = new NoiseDraw(0x123456789ABCDEF0, 7, 3, 0.5f);
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16 })
        {
            foreach (var (optimizer, momentum) in new[] { (DpOptimizer.Sgd, 0.0), (DpOptimizer.Sgd, 0.9), (DpOptimizer.AdamW, 0.0) })
            {
                foreach (var n in new[] { 1, 3, 4, 1001, 100_003 })
                {
                    using var scope = NewDisposeScope();
                    var step = OptimizerStep.Of(optimizer, 3, 0.01, 0.125, 0.1, momentum, 0.9, 0.999, 1e-8);
                    Tensor[] tensors = [.. Enumerable.Range(0, 4).Select(i => (i == 3 ? rand(n) : randn(n)).to(type))];
                    bool first = optimizer == DpOptimizer.AdamW || momentum > 0, second = optimizer == DpOptimizer.AdamW;
                    var mine = tensors.Select(t => t.cuda()).ToArray();
                    update.Apply(mine[0], mine[1], first ? mine[2] : null, second ? mine[3] : null, step, noise);
                    plain.Update(tensors[0], tensors[1], first ? tensors[2] : null, second ? tensors[3] : null, step, noise);
                    double tolerance = type == ScalarType.Float32 ? 2e-6 : type == ScalarType.BFloat16 ? 2.0 / 128 : 2.0 / 1024; // an ulp of numbers up to 4
                    foreach (var (a, b) in mine.Zip(tensors))
                        Assert.InRange((a.cpu().to(ScalarType.Float64) - b.to(ScalarType.Float64)).abs().max().item<double>(), 0, tolerance);
                }
            }
        }
    }

    [GpuFact(8)]
    public void Given_a_slice_When_updated_by_itself_Then_it_is_as_in_the_whole()
    {
        var update = new NoiseUpdate(CudaDevice.Of(0));
        var (whole, parts) = (zeros(1003, device: CUDA), zeros(1003, device: CUDA));
        var step = OptimizerStep.Of(DpOptimizer.Sgd, 1, 1, 1, 0, 0, 0, 0, 0);
        var noise = new NoiseDraw(1, 2, 3, 1);
        update.Apply(whole, null, null, null, step, noise);
        foreach (var (first, count) in new[] { (0, 500), (500, 4), (504, 499) })
            update.Apply(parts.narrow(0, first, count), null, null, null, step, noise with { First = first });
        Assert.True(whole.equal(parts).all().item<bool>());
        Assert.Throws<ArgumentException>(() => update.Apply(parts, null, null, null, step, noise with { First = 2 }));
    }

    [GpuFact(8)]
    public void Given_ten_million_draws_When_their_moments_are_taken_Then_they_are_the_normal_distributions()
    {
        var update = new NoiseUpdate(CudaDevice.Of(0));
        var step = OptimizerStep.Of(DpOptimizer.Sgd, 1, 1, 1, 0, 0, 0, 0, 0);
        Tensor Draws(uint at, uint parameter)
        {
            var draws = zeros(10_000_000, device: CUDA);
            update.Apply(draws, null, null, null, step, new NoiseDraw(99, at, parameter, 1));
            return draws.to(ScalarType.Float64);
        }
        var (z, other, next) = (Draws(0, 0), Draws(1, 0), Draws(0, 1));
        Assert.InRange(z.mean().cpu().item<double>(), -1.6e-3, 1.6e-3); // five standard errors each
        Assert.InRange(z.square().mean().cpu().item<double>(), 1 - 2.3e-3, 1 + 2.3e-3);
        Assert.InRange(z.pow(4).mean().cpu().item<double>(), 3 - 1.6e-2, 3 + 1.6e-2);
        foreach (var independent in new[] { other, next, z.roll(1) })
            Assert.InRange((z * independent).mean().cpu().item<double>(), -1.6e-3, 1.6e-3);
    }
}
