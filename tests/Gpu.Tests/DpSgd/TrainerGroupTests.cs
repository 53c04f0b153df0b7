using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Tests.Collectives;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>Several trainers are one: the same sums, the same noise, the same weights, the same state, whatever their number.</summary>
[Collection(TorchCollection.Name)]
public sealed class TrainerGroupTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private static DpSgdSettings Settings { get; } = new()
    {
        Clipping = new ClippingSettings { Threshold = 0.7 },
        NoiseMultiplier = 1.3,
        LogicalBatch = 12,
        PhysicalBatch = 2,
        SequenceLength = TinyDpModels.Length,
        LearningRate = 0.05,
        Seed = 4,
    };

    // The hard samples of TinyDpModels, and enough of others that draws differ in size.
    private static readonly int[][] Examples =
        [.. TinyDpModels.Samples, .. Enumerable.Range(0, 25).Select(i => Enumerable.Range(0, 3 + i % 8).Select(t => (i * 7 + t * (1 + i % 3)) % TinyDpModels.Vocabulary).ToArray())];

    [Theory]
    [InlineData("llama", DpMethod.Fused, ClippingKind.PerLayer, ThresholdChoice.Adaptive)]
    [InlineData("gpt2", DpMethod.Fused, ClippingKind.Flat, ThresholdChoice.Equal)]
    [InlineData("llama-tied-bias", DpMethod.BookKeeping, ClippingKind.AutoS, ThresholdChoice.Equal)]
    [InlineData("llama", DpMethod.None, ClippingKind.PerLayer, ThresholdChoice.Equal)]
    [InlineData("gpt2-untied", DpMethod.None, ClippingKind.PerLayer, ThresholdChoice.Equal)]
    public void Given_one_two_or_four_ranks_When_trained_for_twenty_steps_Then_the_weights_are_those_of_one_trainer(string kind, DpMethod method, ClippingKind clipping, ThresholdChoice thresholds)
    {
        var s = Settings with
        {
            Method = method,
            NoiseMultiplier = method == DpMethod.None ? 0 : 1.3,
            Optimizer = DpOptimizer.AdamW,
            LearningRate = 0.003,
            WeightDecay = 0.1,
            Clipping = Settings.Clipping with { Kind = clipping, Thresholds = thresholds },
        };
        var (alone, report) = Train(1, kind, s, 20, group: false)[0];
        foreach (int count in new[] { 1, 2, 4 })
        {
            var ranks = Train(count, kind, s, 20);
            foreach (var (weights, other) in ranks)
            {
                TinyDpModels.AssertClose(alone, weights, 1e-6);
                Assert.Equal(report.Loss, other.Loss, 5);
                Assert.Equal((report.Tokens, report.Step, report.NotFinite), (other.Tokens, other.Step, other.NotFinite));
                foreach (var (name, weight) in ranks[0].Weights)
                    Assert.True(weight.equal(weights[name]).all().item<bool>(), $"{name} differs between ranks");
            }
        }
    }

    [Fact]
    public void Given_clipped_sums_When_made_on_two_and_four_ranks_Then_they_are_one_trainers_within_1e_6_and_the_thresholds_bound_them()
    {
        // One step of SGD at rate -B without noise moves each weight by the clipped sum itself.
        var s = Settings with { NoiseMultiplier = 0, LearningRate = 12 };
        Dictionary<string, Tensor> Sum(int count, bool group)
        {
            using var start = TinyDpModels.New("llama", ScalarType.Float32);
            var before = Copy(start);
            return Train(count, "llama", s, 1, group, ScalarType.Float32)[0].Weights.ToDictionary(w => w.Key, w => before[w.Key].to_type(ScalarType.Float64) - w.Value.to_type(ScalarType.Float64));
        }
        var alone = Sum(1, group: false);
        foreach (int count in new[] { 2, 4 })
            TinyDpModels.AssertClose(alone, Sum(count, group: true), 2e-6); // of float32: the weights' own rounding is in it
        double sensitivity = 12 * 0.7; // at most that many examples of norm C
        Assert.InRange(alone.Values.Norm(), 1e-3, sensitivity * 2);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Given_examples_without_targets_When_trained_in_a_group_Then_the_change_is_the_noise_of_one_trainer_to_the_bit(int count)
    {
        // Noise twice, or on one rank's slice only, or of another element, would show.
        int[][] silent = [.. Enumerable.Repeat(new[] { 1 }, 20)];
        Dictionary<string, Tensor> Noise(bool group) => Train(group ? count : 1, "gpt2", Settings, 2, group, ScalarType.Float32, silent)[0].Weights;
        var (alone, together) = (Noise(false), Noise(true));
        foreach (var (name, weight) in alone)
            Assert.True(weight.equal(together[name]).all().item<bool>(), name);
    }

    [Fact]
    public void Given_draws_When_shared_out_Then_every_example_is_on_exactly_one_rank()
    {
        // Each example has a token of its own, and only its embedding row moves: who was counted, and how often, can be read off.
        int[][] examples = [.. Enumerable.Range(0, 20).Select(i => new[] { i, 22 })];
        var s = Settings with { NoiseMultiplier = 0, LogicalBatch = 10, LearningRate = 10, Clipping = new ClippingSettings { Threshold = 1e6 } };
        var expected = Train(1, "llama", s, 1, group: false, examples: examples)[0].Weights["model.embed_tokens.weight"];
        foreach (int count in new[] { 2, 3, 4 })
        {
            var weights = Train(count, "llama", s, 1, examples: examples)[0].Weights["model.embed_tokens.weight"];
            Assert.True(expected.allclose(weights, 1e-9, 1e-12));
        }
    }

    [Theory]
    [InlineData(DpOptimizer.Sgd)]
    [InlineData(DpOptimizer.AdamW)]
    public void Given_a_state_of_one_number_of_ranks_When_others_go_on_Then_they_end_where_it_would_have(DpOptimizer optimizer)
    {
        var s = Settings with { Optimizer = optimizer, Momentum = 0.9, LearningRate = 0.003, Seed = null, Clipping = new ClippingSettings { Thresholds = ThresholdChoice.Adaptive } };
        var path = _folder["state"];
        var whole = Run(4, s, load: null, steps: 3, save: path, more: 3);
        foreach (int count in new[] { 1, 2, 4 })
        {
            var resumed = Run(count, s, load: path, steps: 3, save: null, more: 0);
            TinyDpModels.AssertClose(whole, resumed, 1e-6);
            if (count == 4)
                Assert.All(whole, w => Assert.True(w.Value.equal(resumed[w.Key]).all().item<bool>(), w.Key));
        }
        // And of a trainer that is alone.
        using var model = TinyDpModels.New("gpt2", ScalarType.Float32, seed: 77);
        using var alone = new DpSgdTrainer(model, null, Examples, s);
        alone.LoadState(path);
        for (int i = 0; i < 3; i++)
            alone.Step();
        TinyDpModels.AssertClose(whole, Copy(model), 1e-6);

        Dictionary<string, Tensor> Run(int count, DpSgdSettings settings, string? load, int steps, string? save, int more) => Ranks.Run(count, c =>
        {
            using var own = TinyDpModels.New("gpt2", ScalarType.Float32, seed: (ulong)(load is null ? 3 : 50 + c.Rank)); // whatever the others start from
            using var trainer = new DpSgdTrainer(own, null, Examples, settings, null, c);
            trainer.LoadState(load);
            for (int i = 0; i < steps; i++)
                trainer.Step();
            if (save is not null)
                trainer.SaveState(save);
            for (int i = 0; i < more; i++)
                trainer.Step();
            return Copy(own);
        })[0];
    }

    [Fact]
    public void Given_a_rank_with_other_examples_When_the_group_begins_Then_that_rank_says_so_and_nobody_hangs()
    {
        var e = Assert.Throws<InvalidDataException>(() => Ranks.Run(2, c =>
        {
            using var model = TinyDpModels.New("llama");
            using var trainer = new DpSgdTrainer(model, null, c.Rank == 0 ? Examples : Examples[1..], Settings, null, c);
            trainer.Step();
            return 0;
        }));
        Assert.Contains("rank 1 was made for another run", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_sums_in_float32_When_a_half_precision_model_is_trained_Then_ranks_agree_far_beyond_its_precision()
    {
        // Each example's product is rounded to the model's type; with one example at a time these are the same everywhere, and what is left is the sums'.
        var s = Settings with { NoiseMultiplier = 0, LearningRate = 12, PhysicalBatch = 1 };
        var one = Sums(1);
        TinyDpModels.AssertClose(one, Sums(4), 1e-5);

        // The sums themselves: weights in bfloat16 would round the difference away.
        Dictionary<string, Tensor> Sums(int count) => Ranks.Run(count, c =>
        {
            using var model = TinyDpModels.New("llama", ScalarType.BFloat16);
            var kept = new Dictionary<string, Tensor>();
            using var trainer = new DpSgdTrainer(model, null, Examples, s, new Listening((name, sums) => kept[name] = sums), c, ScalarType.Float32);
            Listening.Names = trainer.Parameters.ToDictionary(p => p.Index, p => p.Name);
            trainer.Step();
            return kept;
        }).SelectMany(k => k).GroupBy(k => k.Key.Split('@')[0]).ToDictionary(k => k.Key, k => cat([.. k.OrderBy(p => long.Parse(p.Key.Split('@')[1])).Select(p => p.Value)]));
    }

    private static List<(Dictionary<string, Tensor> Weights, DpTrainingReport Report)> Train(
        int count, string kind, DpSgdSettings s, int steps, bool group = true, ScalarType type = ScalarType.Float64, IReadOnlyList<int[]>? examples = null) =>
        [.. Ranks.Run(count, c =>
        {
            using var model = TinyDpModels.New(kind, type);
            using var trainer = new DpSgdTrainer(model, null, examples ?? Examples, s, null, group ? c : null);
            for (int i = 0; i < steps; i++)
                trainer.Step(more: i + 1 < steps);
            return (Copy(model), trainer.Report());
        })];

    private static Dictionary<string, Tensor> Copy(Gpu.Models.CausalModel model) => model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());

    /// <summary>The plain kernels, which tell the sums that an update reads.</summary>
    private sealed class Listening(Action<string, Tensor> told) : TorchDpKernels
    {
        [ThreadStatic]
        internal static Dictionary<uint, string>? Names;

        public override void Update(Tensor parameter, Tensor? gradient, Tensor? moment, Tensor? secondMoment, in OptimizerStep step, in NoiseDraw noise)
        {
            told($"{Names![noise.Parameter]}@{noise.First}", gradient!.to_type(ScalarType.Float64, copy: true).DetachFromDisposeScope());
            base.Update(parameter, gradient, moment, secondMoment, step, noise);
        }
    }
}
