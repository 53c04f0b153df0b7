using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Models;
using Chorus.Gpu.Models.Fused;
using Chorus.Gpu.Tests.Cuda;
using Chorus.Gpu.Tests.DpSgd;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Models.Fused;

/// <summary>Kernels of a model's layers, forwards and backwards, against the plain operators in float64.</summary>
[Collection(TorchCollection.Name)]
public sealed class FusedLayerTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [GpuFact(8)]
    public void Given_RMSNorm_When_fused_Then_values_and_gradients_are_those_of_plain_operators()
    {
        foreach (var channels in new[] { 8, 768, 2048, 5120 })
            Compare(v => FusedRmsNorm.TryApply(v[0], v[1], 1e-5)!, v => v[0] * (v[0].square().mean([-1], keepdim: true) + 1e-5).rsqrt() * v[1], [randn(3, 5, channels), randn(channels)]);
    }

    [GpuFact(8)]
    public void Given_a_gated_layer_When_fused_Then_values_and_gradients_are_those_of_plain_operators() =>
        Compare(v => FusedGatedSilu.TryApply(v[0] * 1, v[1] * 1)!, v => nn.functional.silu(v[0]) * v[1], [randn(3, 5, 168), randn(3, 5, 168)]);

    [GpuFact(8)]
    public void Given_rotary_positions_When_fused_Then_values_and_gradients_are_those_of_plain_operators()
    {
        var angles = rand(7, 16) * 6;
        var (cos, sin) = (cat([angles.cos(), angles.cos()], -1), cat([angles.sin(), angles.sin()], -1));
        Compare(
            v => cat([.. FusedRotary.TryApply(v[0], v[1], cos.to(v[0].dtype).cuda(), sin.to(v[0].dtype).cuda())!], 2),
            v => cat([RotaryTable.Turn(v[0].transpose(1, 2), cos.to(v[0].dtype), sin.to(v[0].dtype)).transpose(1, 2), RotaryTable.Turn(v[1].transpose(1, 2), cos.to(v[0].dtype), sin.to(v[0].dtype)).transpose(1, 2)], 2),
            [randn(2, 7, 4, 32), randn(2, 7, 2, 32)]);
    }

    [GpuFact(8)]
    public void Given_logits_with_padding_and_rows_without_target_When_fused_Then_losses_and_gradients_are_those_of_plain_operators()
    {
        var targets = tensor(new long[] { 3, -100, 49, 0, 12, 700 });
        Compare(
            v => FusedTokenLoss.TryApply(nn.functional.pad(v[0], [0, 3]).contiguous(), targets.cuda(), 701)!,
            v => nn.functional.cross_entropy(v[0], targets, ignore_index: -100, reduction: nn.Reduction.None), [randn(6, 701) * 5]);
    }

    [GpuFact(8)]
    public void Given_a_whole_model_on_a_GPU_When_clipped_by_layer_Then_sums_are_those_of_plain_per_sample_gradients()
    {
        foreach (var kind in new[] { "gpt2", "gpt2-untied", "gpt2-even", "llama", "llama-even", "llama-tied-bias" })
        {
            foreach (var method in Enum.GetValues<NormMethod>())
            {
                using var scope = NewDisposeScope();
                using var model = TinyDpModels.New(kind, ScalarType.Float32);
                var s = new ClippingSettings { Threshold = 0.5, NormMethod = method };
                (IReadOnlyList<ClippedParameter>, double)[] groups;
                IReadOnlyList<ClippedParameter> parameters;
                using (var plain = new PrivateGradients(model, null, s, DpMethod.Fused))
                    (parameters, groups) = (plain.Parameters, [.. plain.Groups.Select(g => (g.Parameters, g.Threshold))]);
                var expected = TinyDpModels.Expected(model, parameters, groups, TinyDpModels.Samples, s.Rule);
                using var there = TinyDpModels.New(kind, ScalarType.Float32, device: CUDA);
                using var source = new PrivateGradients(there, null, s, DpMethod.Fused);
                TinyDpModels.AssertClose(expected, TinyDpModels.Sums(source, there, TinyDpModels.Samples).ToDictionary(p => p.Key, p => p.Value.cpu()), 3e-5); // float32 with products on tensor cores switched off, over a whole model
            }
        }
    }

    [GpuFact(8)]
    public void Given_a_model_in_half_precision_When_clipped_by_the_kernels_Then_sums_repeat_and_are_those_of_explicit_gradients()
    {
        var random = new Random(5);
        int[][] samples = [.. Enumerable.Range(0, 6).Select(i => Enumerable.Range(0, i == 2 ? 70 : 257).Select(_ => random.Next(1000)).ToArray())];
        double? checksum = null;
        Dictionary<string, Tensor> Sums(DpMethod method, NormMethod norm)
        {
            using var model = NamedShapes.Create("llama-1b", 1, CUDA, ScalarType.BFloat16, 7);
            double weights = model.parameters().Sum(p => p.to_type(ScalarType.Float64).sum().cpu().item<double>());
            Assert.Equal(checksum ??= weights, weights);
            using var source = new PrivateGradients(model, null, new ClippingSettings { Threshold = 1e-3, NormMethod = norm }, method);
            using var batch = NewDisposeScope();
            var samplesThere = SampleBatch.Of(samples, 256, CUDA);
            source.Accumulate(samplesThere.Batch, samplesThere.Lengths, () => samplesThere.Losses(model, SampleLossKind.Mean)).Dispose();
            return source.Parameters.ToDictionary(p => p.Name, p => p.Gradient!.to_type(ScalarType.Float32, copy: true).MoveToOuterDisposeScope());
        }
        var expected = Sums(DpMethod.Explicit, NormMethod.Auto);
        foreach (var norm in new[] { NormMethod.Auto, NormMethod.Gram, NormMethod.Direct })
        {
            var (first, second) = (Sums(DpMethod.Fused, norm), Sums(DpMethod.Fused, norm));
            foreach (var (name, e) in expected)
            {
                // The embedding's and the head's sums are scattered by atomic additions; all others have the same bits each time.
                if (!name.Contains("embed", StringComparison.Ordinal))
                    Assert.True(first[name].equal(second[name]).all().cpu().item<bool>(), $"{name}, {norm}: not the same bits");
                double error = (first[name] - e).norm().cpu().item<float>() / e.norm().cpu().item<float>();
                Assert.True(error < 2.5e-2, $"{name}, {norm}: {error:E2}"); // roundings of bfloat16 in factors, operands and sums, here and in the explicit gradients
            }
        }
    }

    // Values and gradients of a random weighing of them; in half precision within what rounding of inputs, values and gradients allows.
    private static void Compare(Func<Tensor[], Tensor> fused, Func<Tensor[], Tensor> plain, Tensor[] inputs)
    {
        foreach (var (type, tolerance) in new[] { (ScalarType.Float32, 1e-5), (ScalarType.BFloat16, 2e-2), (ScalarType.Float16, 3e-3) })
        {
            using var scope = NewDisposeScope();
            Tensor[] exact = [.. inputs.Select(i => i.to(type).to(ScalarType.Float64).requires_grad_())];
            Tensor[] rounded = [.. inputs.Select(i => i.to(type).cuda().requires_grad_())];
            var (wanted, got) = (plain(exact), fused(rounded));
            var weights = randn(wanted.shape).to(type);
            (wanted * weights.to(ScalarType.Float64)).sum().backward();
            (got * weights.cuda()).sum().backward();
            FusedLayer.ThrowIfFailed(CUDA);
            foreach (var (w, g) in exact.Select(e => e.grad!).Prepend(wanted).Zip(rounded.Select(r => r.grad!).Prepend(got)))
            {
                var error = (g.detach().cpu().to(ScalarType.Float64) - w.detach()).abs().max().item<double>() / w.abs().max().item<double>();
                Assert.True(error <= tolerance, $"{type}: {error:E2}");
            }
        }
    }
}
