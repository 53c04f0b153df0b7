using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Models;
using CsCheck;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>Attacks on the bound that privacy rests on: one example more or less moves the clipped sum of the whole model by at most C.</summary>
[Collection(TorchCollection.Name)]
public sealed class SensitivityTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Given_any_samples_When_one_is_taken_away_Then_the_sum_over_all_parameters_moves_by_at_most_C() =>
        Gen.Select(
            OneOf("gpt2", "llama", "llama-tied-bias"), OneOf(ClippingKind.PerLayer, ClippingKind.Flat, ClippingKind.AutoS), OneOf(ThresholdChoice.Equal, ThresholdChoice.ByDimension),
            Gen.Double[-3, 3], Gen.Double[-1.5, 1.5], Gen.Int[0, TinyDpModels.Vocabulary - 1].Array[0, 10].Array[1, 5], Gen.Bool, Gen.ULong)
        .Sample((kind, clipping, thresholds, logC, logScale, samples, sum, seed) =>
        {
            using var scope = NewDisposeScope();
            double c = Math.Pow(10, logC);
            using var model = TinyDpModels.New(kind, ScalarType.Float32, seed);
            Scale(model, Math.Pow(10, logScale)); // large gradients, and small ones
            var s = new ClippingSettings { Kind = clipping, Threshold = c, Thresholds = clipping == ClippingKind.Flat ? ThresholdChoice.Equal : thresholds };
            using var source = new PrivateGradients(model, null, s, DpMethod.Fused);
            Assert.True(Math.Sqrt(source.Groups.Sum(g => g.Threshold * g.Threshold)) <= c);
            var loss = sum ? SampleLossKind.Sum : SampleLossKind.Mean;
            // One at a time: in a batch of another shape libtorch rounds the other samples' gradients otherwise.
            var all = TinyDpModels.Sums(source, model, samples, loss, microBatch: 1);
            source.Clear();
            Dictionary<string, Tensor>? without = null;
            if (samples.Length > 1)
                without = TinyDpModels.Sums(source, model, samples[1..], loss, microBatch: 1);
            double moved = all.Select(p => without is null ? p.Value : p.Value - without[p.Key]).Norm();
            // 1e-6 of each summand for the rounding of the sums themselves.
            Assert.True(moved <= c * (1 + 1e-6 * samples.Length), $"{moved} > {c}");
        }, iter: 60, threads: 1);

    [Fact]
    public void Given_a_sample_of_huge_gradients_When_clipped_Then_each_group_holds_its_threshold_and_reaches_it()
    {
        using var model = TinyDpModels.New("gpt2");
        Scale(model, 20);
        var s = new ClippingSettings { Threshold = 3, Thresholds = ThresholdChoice.ByDimension };
        using var source = new PrivateGradients(model, null, s, DpMethod.Fused);
        var sums = TinyDpModels.Sums(source, model, [TinyDpModels.Samples[2]], SampleLossKind.Sum);
        Assert.Equal(9, source.Groups.Sum(g => g.Threshold * g.Threshold), 9);
        foreach (var group in source.Groups)
        {
            double norm = group.Parameters.Select(p => sums[p.Name]).Norm();
            Assert.True(norm <= group.Threshold, $"{group.Name}: {norm} > {group.Threshold}");
            Assert.True(norm >= group.Threshold * (1 - 3e-6), $"{group.Name}: {norm} << {group.Threshold}"); // and no utility is lost
        }
    }

    [Theory]
    [InlineData(DpMethod.Fused, ClippingKind.PerLayer)]
    [InlineData(DpMethod.Fused, ClippingKind.Flat)]
    [InlineData(DpMethod.Ghost, ClippingKind.Flat)]
    [InlineData(DpMethod.Explicit, ClippingKind.PerLayer)]
    [InlineData(DpMethod.BookKeeping, ClippingKind.Flat)]
    public void Given_a_sample_with_NaN_When_summed_Then_it_adds_nothing_and_is_counted(DpMethod method, ClippingKind clipping)
    {
        using var model = TinyDpModels.New("llama");
        using (no_grad())
            model.Embedding[22] = double.NaN; // a token of the second sample alone
        int[][] samples = [[1, 2, 3, 4], [5, 22, 6, 7], [8, 9, 10, 11]];
        using var source = new PrivateGradients(model, null, new ClippingSettings { Kind = clipping }, method);
        var with = TinyDpModels.Sums(source, model, samples);
        Assert.Equal(1, source.NotFinite.item<float>());
        source.Clear();
        var without = TinyDpModels.Sums(source, model, [samples[0], samples[2]]);
        Assert.Equal(1, source.NotFinite.item<float>());
        TinyDpModels.AssertClose(without, with, 1e-12);
    }

    [Fact]
    public void Given_samples_without_targets_When_summed_Then_they_add_exactly_nothing()
    {
        using var model = TinyDpModels.New("gpt2", ScalarType.Float32);
        using var source = new PrivateGradients(model, null, new ClippingSettings { Kind = ClippingKind.AutoS }, DpMethod.Fused);
        Assert.All(TinyDpModels.Sums(source, model, [[3], [], [4]]).Values, sum => Assert.Equal(0, sum.abs().max().item<double>()));
        Assert.Equal(0, source.NotFinite.item<float>());
    }

    [Theory]
    [InlineData(ThresholdChoice.Equal)]
    [InlineData(ThresholdChoice.ByDimension)]
    [InlineData(ThresholdChoice.Adaptive)]
    public void Given_any_division_When_thresholds_are_set_Then_their_squares_sum_to_C_squared(ThresholdChoice choice)
    {
        // Every tensor clipped to C itself would make the sensitivity C sqrt(L).
        using var model = TinyDpModels.New("llama");
        using var source = new PrivateGradients(model, null, new ClippingSettings { Threshold = 2.5, Thresholds = choice }, DpMethod.Fused);
        Assert.Equal(6.25, source.Groups.Sum(g => g.Threshold * g.Threshold), 9);
        Assert.True(source.Groups.Count > 10);
        Assert.Equal(choice == ThresholdChoice.ByDimension ? source.Groups.Max(g => Math.Sqrt(g.Dimension)) / source.Groups.Min(g => Math.Sqrt(g.Dimension)) : 1, source.Groups.Max(g => g.Threshold) / source.Groups.Min(g => g.Threshold), 6);
    }

    [Fact]
    public void Given_a_tied_embedding_When_trained_Then_autograd_itself_gives_no_parameter_a_gradient()
    {
        // A parameter that got one on the side would be trained without privacy.
        using var model = TinyDpModels.New("gpt2");
        using var source = new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused);
        TinyDpModels.Sums(source, model, TinyDpModels.Samples);
        Assert.All(model.parameters(), p => Assert.Null(p.grad));
        Assert.Equal(model.parameters().Count(), source.Groups.Sum(g => g.Parameters.Count));
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static void Scale(CausalModel model, double scale)
    {
        using var noGrad = no_grad();
        foreach (var (_, projection) in model.Projections)
            projection.Weight.mul_(scale);
    }
}
