using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>Whole models' clipped sums, by every method, against one backward pass for each sample in float64.</summary>
[Collection(TorchCollection.Name)]
public sealed class PrivateGradientsTests : IDisposable
{
    // Factors are float32 and lie up to 2^-20 below the exact ones.
    private const double Tolerance = 3e-6;

    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData("gpt2")]
    [InlineData("gpt2-untied")]
    [InlineData("llama")]
    [InlineData("llama-tied-bias")]
    public void Given_a_whole_model_When_clipped_by_layer_Then_every_method_gives_the_sums_of_plain_per_sample_gradients(string kind)
    {
        foreach (var rule in new[] { ClippingKind.PerLayer, ClippingKind.AutoS })
        {
            var s = new ClippingSettings { Kind = rule, Threshold = 0.5, Thresholds = ThresholdChoice.ByDimension };
            using var model = TinyDpModels.New(kind);
            foreach (var method in new[] { DpMethod.Fused, DpMethod.Explicit, DpMethod.BookKeeping })
                Compare(model, s, method, g => g.Groups.Select(group => (group.Parameters, group.Threshold)));
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void Given_a_whole_model_When_clipped_flat_Then_every_method_gives_the_sums_of_plain_per_sample_gradients(string kind)
    {
        using var model = TinyDpModels.New(kind);
        foreach (var method in new[] { DpMethod.Fused, DpMethod.Explicit, DpMethod.BookKeeping, DpMethod.Ghost })
            Compare(model, new ClippingSettings { Kind = ClippingKind.Flat, Threshold = 0.8 }, method, g => [(g.Parameters, 0.8)]);
    }

    [Theory]
    [InlineData(NormMethod.Gram)]
    [InlineData(NormMethod.Direct)]
    [InlineData(NormMethod.Kept)]
    public void Given_each_way_to_a_norm_When_inputs_are_not_shared_Then_the_sums_are_the_same(NormMethod method)
    {
        using var model = TinyDpModels.New("llama-tied-bias");
        Compare(model, new ClippingSettings { Threshold = 0.5, NormMethod = method, ShareInputs = false }, DpMethod.Fused, g => g.Groups.Select(group => (group.Parameters, group.Threshold)), SampleLossKind.Sum);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void Given_an_adapter_on_a_frozen_model_When_clipped_Then_its_pairs_alone_have_sums(string kind)
    {
        using var model = TinyDpModels.New(kind);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 3, TargetPattern = LoraSettings.AllLinear }, 4);
        using (no_grad())
        {
            foreach (var (_, b) in adapter.NamedParameters.Where(p => p.Name.Contains("lora_B", StringComparison.Ordinal)))
                b.copy_(randn_like(b) * 0.3);
        }
        using var source = new PrivateGradients(model, adapter, new ClippingSettings { Threshold = 0.3 }, DpMethod.Fused);
        Assert.Equal(adapter.Parameters.Count, source.Parameters.Count);
        Assert.Equal(adapter.Parameters.Count / 2, source.Groups.Count);
        var actual = TinyDpModels.Sums(source, model, TinyDpModels.Samples);
        var groups = source.Groups.Select(g => (g.Parameters, g.Threshold)).ToArray();
        var parameters = source.Parameters;
        source.Dispose();
        TinyDpModels.AssertClose(TinyDpModels.Expected(model, parameters, groups, TinyDpModels.Samples, ClipRule.Threshold), actual, Tolerance);
    }

    [Fact]
    public void Given_a_model_in_single_precision_When_clipped_Then_sums_are_within_1e_5()
    {
        using var model = TinyDpModels.New("llama", ScalarType.Float32);
        using var wide = TinyDpModels.New("llama");
        using (no_grad())
        {
            foreach (var (a, b) in wide.parameters().Zip(model.parameters()))
                a.copy_(b);
        }
        using var source = new PrivateGradients(model, null, new ClippingSettings { Threshold = 0.5 }, DpMethod.Fused);
        var actual = TinyDpModels.Sums(source, model, TinyDpModels.Samples);
        using var twin = new PrivateGradients(wide, null, new ClippingSettings { Threshold = 0.5 }, DpMethod.Fused);
        var groups = twin.Groups.Select(g => (g.Parameters, g.Threshold)).ToArray();
        var parameters = twin.Parameters;
        twin.Dispose();
        TinyDpModels.AssertClose(TinyDpModels.Expected(wide, parameters, groups, TinyDpModels.Samples, ClipRule.Threshold), actual, 1e-5);
    }

    [Fact]
    public void Given_frozen_parameters_When_trained_Then_they_have_no_sum_and_the_others_are_the_same()
    {
        using var model = TinyDpModels.New("gpt2");
        TinyDpModels.Freeze([model.Embedding, .. model.Projections.SkipLast(2).Select(p => p.Projection.Weight)]);
        Compare(model, new ClippingSettings { Threshold = 0.5 }, DpMethod.Fused, g => g.Groups.Select(group => (group.Parameters, group.Threshold)));
        Assert.Null(model.Embedding.grad);
    }

    [Fact]
    public void Given_many_steps_When_run_Then_no_tensor_is_left_over()
    {
        using var model = TinyDpModels.New("gpt2", ScalarType.Float32);
        foreach (var (kind, method) in new[] { (ClippingKind.PerLayer, DpMethod.Fused), (ClippingKind.Flat, DpMethod.Fused), (ClippingKind.Flat, DpMethod.Ghost), (ClippingKind.PerLayer, DpMethod.Explicit), (ClippingKind.Flat, DpMethod.BookKeeping) })
        {
            using var source = new PrivateGradients(model, null, new ClippingSettings { Kind = kind }, method);
            long Step()
            {
                using (NewDisposeScope())
                {
                    var batch = SampleBatch.Of(TinyDpModels.Samples, TinyDpModels.Length, CPU);
                    source.Accumulate(batch.Batch, batch.Lengths, () => batch.Losses(model, SampleLossKind.Mean));
                    source.Clear();
                }
                return LiveTensors.Count();
            }
            Step();
            Collect();
            long before = Step();
            for (int i = 0; i < 5; i++)
                Assert.InRange(Step(), 0, before);
        }
    }

    [Fact]
    public void Given_a_backward_pass_on_another_thread_When_no_scope_is_there_Then_no_tensor_waits_for_the_garbage_collector()
    {
        // As on a GPU, where autograd has threads of its own.
        using var model = TinyDpModels.New("gpt2", ScalarType.Float32);
        using var source = new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused);
        long Step()
        {
            using (NewDisposeScope())
            {
                var batch = SampleBatch.Of(TinyDpModels.Samples, TinyDpModels.Length, CPU);
                source.Accumulate(batch.Batch, batch.Lengths, () =>
                {
                    var loss = batch.Losses(model, SampleLossKind.Mean).sum();
                    var thread = new Thread(() => loss.backward());
                    thread.Start();
                    thread.Join();
                    return zeros([batch.Batch]).requires_grad_();
                });
                Assert.All(source.Parameters, p => Assert.NotNull(p.Gradient));
                source.Clear();
            }
            return LiveTensors.Count();
        }
        Step();
        Collect();
        long before = Step();
        Assert.InRange(Step(), 0, before);
        Assert.InRange(Step(), 0, before);
    }

    // What earlier tests left to the garbage collector would make room for a leak here.
    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    private static void Compare(
        Gpu.Models.CausalModel model, ClippingSettings s, DpMethod method,
        Func<PrivateGradients, IEnumerable<(IReadOnlyList<ClippedParameter>, double)>> groups, SampleLossKind loss = SampleLossKind.Mean)
    {
        using var source = new PrivateGradients(model, null, s, method);
        var actual = TinyDpModels.Sums(source, model, TinyDpModels.Samples, loss);
        var (parameters, expectedGroups) = (source.Parameters, groups(source).ToArray());
        Assert.Equal(0, source.NotFinite.item<float>());
        source.Dispose(); // the reference sees the bare model
        TinyDpModels.AssertClose(TinyDpModels.Expected(model, parameters, expectedGroups, TinyDpModels.Samples, s.Rule, loss), actual, Tolerance);
    }
}
