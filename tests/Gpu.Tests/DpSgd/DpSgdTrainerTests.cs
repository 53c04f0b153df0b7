using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>Whole steps: draws, divisor, noise, state.</summary>
[Collection(TorchCollection.Name)]
public sealed class DpSgdTrainerTests : IDisposable
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
        LogicalBatch = 2,
        PhysicalBatch = 2,
        SequenceLength = TinyDpModels.Length,
        LearningRate = 0.5,
        Seed = 4,
    };

    [Fact]
    public void Given_noise_When_a_step_is_done_Then_every_parameter_gets_sigma_C_over_the_expected_batch_and_no_less()
    {
        // One published trainer adds sigma / sqrt(B) and forgets C; it leaves norm layers without noise, and embeddings through tying.
        using var model = new Gpt2Model(new Gpt2Config { VocabularySize = 300, HiddenSize = 64, Layers = 2, Heads = 2, MaxLength = 300 }, 1, CPU);
        var before = Copy(model);
        int[][] silent = [.. Enumerable.Repeat(new[] { 1 }, 10)]; // no target, no gradient: what changes is the noise
        using var trainer = new DpSgdTrainer(model, null, silent, Settings with { PhysicalBatch = 1, LogicalBatch = 4 });
        trainer.Step();
        double expected = 0.5 * 1.3 * 0.7 / 4;
        var all = new List<double>();
        foreach (var (name, parameter) in model.named_parameters())
        {
            var change = (parameter.detach() - before[name]).to_type(ScalarType.Float64).view(-1);
            double std = change.square().mean().sqrt().item<double>(), error = 5 / Math.Sqrt(2 * change.numel());
            Assert.True(Math.Abs(std / expected - 1) <= error + 1e-3, $"{name}: {std}, expected {expected}");
            all.AddRange(change.data<double>());
        }
        // Parameters of one shape, and steps, have noise of their own.
        var (one, two) = (Change("transformer.h.0.mlp.c_fc.weight"), Change("transformer.h.1.mlp.c_fc.weight"));
        Assert.InRange(Correlation(one, two), -5 / Math.Sqrt(one.Length), 5 / Math.Sqrt(one.Length));
        before = Copy(model);
        trainer.Step();
        Assert.InRange(Correlation(one, Change("transformer.h.0.mlp.c_fc.weight")), -5 / Math.Sqrt(one.Length), 5 / Math.Sqrt(one.Length));

        double[] Change(string name) => (model.named_parameters().Single(p => p.name == name).parameter.detach() - before[name]).to_type(ScalarType.Float64).view(-1).data<double>().ToArray();
        double Correlation(double[] a, double[] b) => a.Zip(b).Average(p => p.First * p.Second) / (expected * expected);
        double whole = Math.Sqrt(all.Average(x => x * x));
        Assert.True(all.Count > 100_000);
        Assert.InRange(whole / expected, 0.99, 1.01);
        Assert.Equal(model.parameters().Count(), trainer.Parameters.Select(p => p.Index).Distinct().Count());
    }

    [Fact]
    public void Given_a_batch_that_came_out_another_size_When_summed_Then_the_divisor_is_the_expected_one()
    {
        var s = Settings with { NoiseMultiplier = 0, LogicalBatch = 2, PhysicalBatch = 8 };
        var sizes = new HashSet<int>();
        for (ulong seed = 0; seed < 12; seed++)
        {
            using var model = TinyDpModels.New("llama");
            var before = Copy(model);
            var drawn = ExampleSampler.Poisson(5, 0.4, RunSecret.FromSeed(seed).Key("sampling"), 0);
            sizes.Add(drawn.Count);
            Dictionary<string, Tensor> sums;
            using (var source = new PrivateGradients(model, null, s.Clipping, DpMethod.Fused))
                sums = drawn.Count == 0 ? [] : TinyDpModels.Sums(source, model, [.. drawn.Select(i => TinyDpModels.Samples[i])], microBatch: 8);
            using var trainer = new DpSgdTrainer(model, null, TinyDpModels.Samples, s with { Seed = seed });
            trainer.Step();
            foreach (var (name, parameter) in model.named_parameters())
            {
                var expected = sums.TryGetValue(name, out var sum) ? before[name] - sum * 0.5 / 2 : before[name];
                Assert.True(expected.allclose(parameter.detach(), 1e-6, 1e-9), $"{name} with {drawn.Count} drawn");
            }
        }
        Assert.True(sizes.Count >= 3);
        Assert.Contains(0, sizes); // an empty batch is a step too
    }

    [Theory]
    [InlineData(DpMethod.Fused)]
    [InlineData(DpMethod.None)]
    public void Given_other_micro_batches_When_trained_Then_the_result_is_the_same(DpMethod method)
    {
        var results = new List<Dictionary<string, Tensor>>();
        foreach (int physical in new[] { 1, 3, 8 })
        {
            using var model = TinyDpModels.New("gpt2");
            var s = Settings with { Method = method, NoiseMultiplier = method == DpMethod.None ? 0 : 1, PhysicalBatch = physical, LogicalBatch = 4 };
            using var trainer = new DpSgdTrainer(model, null, TinyDpModels.Samples, s);
            for (int i = 0; i < 4; i++)
                trainer.Step();
            results.Add(Copy(model));
        }
        foreach (var other in results.Skip(1))
            TinyDpModels.AssertClose(results[0], other, 1e-9);
    }

    [Fact]
    public void Given_no_privacy_When_trained_Then_the_steps_are_ordinary_gradients_of_the_same_draws()
    {
        using var model = TinyDpModels.New("llama");
        using var twin = TinyDpModels.New("llama");
        var s = Settings with { Method = DpMethod.None, NoiseMultiplier = 0, LogicalBatch = 3, Sampling = ExampleSampling.FixedSize };
        using var trainer = new DpSgdTrainer(model, null, TinyDpModels.Samples, s);
        using var optimizer = optim.SGD(twin.parameters(), 0.5);
        for (uint step = 0; step < 3; step++)
        {
            trainer.Step();
            var drawn = ExampleSampler.FixedSize(5, 3, RunSecret.FromSeed(4).Key("sampling"), step);
            optimizer.zero_grad();
            SampleBatch.Of([.. drawn.Select(i => TinyDpModels.Samples[i])], TinyDpModels.Length, CPU).Losses(twin, SampleLossKind.Mean).sum().div(3).backward();
            optimizer.step();
        }
        TinyDpModels.AssertClose(Copy(twin), Copy(model), 1e-6);
    }

    [Theory]
    [InlineData(DpOptimizer.Sgd, ThresholdChoice.Equal)]
    [InlineData(DpOptimizer.AdamW, ThresholdChoice.Adaptive)]
    public void Given_a_run_that_was_stopped_When_it_goes_on_Then_all_bits_are_as_if_it_had_not_been(DpOptimizer optimizer, ThresholdChoice thresholds)
    {
        var s = Settings with { Optimizer = optimizer, Momentum = 0.9, LearningRate = 0.01, Seed = null, Clipping = new ClippingSettings { Thresholds = thresholds } };
        using var first = TinyDpModels.New("gpt2", ScalarType.Float32);
        using var trainer = new DpSgdTrainer(first, null, TinyDpModels.Samples, s);
        for (int i = 0; i < 2; i++)
            trainer.Step();
        trainer.SaveState(_folder["state"]);
        for (int i = 0; i < 3; i++)
            trainer.Step();

        using var second = TinyDpModels.New("gpt2", ScalarType.Float32, seed: 77); // whatever it starts from
        using var resumed = new DpSgdTrainer(second, null, TinyDpModels.Samples, s);
        resumed.LoadState(_folder["state"]);
        Assert.Equal(2, resumed.StepsDone);
        for (int i = 0; i < 3; i++)
            resumed.Step();
        foreach (var ((name, a), (_, b)) in first.named_parameters().Zip(second.named_parameters()))
            Assert.True(a.equal(b).all().item<bool>(), name);
        Assert.Equal(trainer.Groups.Select(g => g.Threshold), resumed.Groups.Select(g => g.Threshold));
        Assert.Equal(5, resumed.Report().Step);

        // A secret run is another one each time.
        using var third = TinyDpModels.New("gpt2", ScalarType.Float32);
        using var stranger = new DpSgdTrainer(third, null, TinyDpModels.Samples, s);
        for (int i = 0; i < 5; i++)
            stranger.Step();
        Assert.False(third.Embedding.equal(first.Embedding).all().item<bool>());

        using var changed = new DpSgdTrainer(third, null, TinyDpModels.Samples[1..], s);
        Assert.Contains("of another run", Assert.Throws<InvalidDataException>(() => changed.LoadState(_folder["state"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_adaptive_thresholds_When_trained_Then_they_move_to_their_quantiles_and_keep_C()
    {
        using var model = TinyDpModels.New("llama", ScalarType.Float32);
        int[][] samples = [.. Enumerable.Range(0, 40).Select(i => Enumerable.Range(0, 8).Select(t => (i * 5 + t * (i % 4 + 1)) % TinyDpModels.Vocabulary).ToArray())];
        var s = Settings with { LearningRate = 1e-6, LogicalBatch = 20, PhysicalBatch = 20, Clipping = new ClippingSettings { Threshold = 1, Thresholds = ThresholdChoice.Adaptive, QuantileNoiseMultiplier = 0.5 } };
        using var trainer = new DpSgdTrainer(model, null, samples, s);
        for (int i = 0; i < 60; i++)
            trainer.Step();
        Assert.Equal(1, trainer.Groups.Sum(g => g.Threshold * g.Threshold), 6);
        // Groups of small gradients give room to those of large ones.
        var groups = trainer.Groups;
        trainer.Dispose();
        var parameters = groups.SelectMany(g => g.Parameters).ToArray();
        var gradients = TinyDpModels.Gradients(model, parameters, samples);
        double[] medians = [.. groups.Select(g => gradients.Select(all => parameters.Zip(all).Where(p => g.Parameters.Contains(p.First)).Select(p => p.Second).Norm()).Order().ElementAt(20))];
        Assert.True(medians.Max() > 4 * medians.Min());
        Assert.All(groups.Zip(medians), g => Assert.InRange(g.First.Quantile / g.Second, 0.6, 1.6));
        double scale = 1 / Math.Sqrt(groups.Sum(g => g.Quantile * g.Quantile));
        Assert.All(groups, g => Assert.Equal(g.Quantile * scale, g.Threshold, 6));
    }

    [Fact]
    public void Given_private_training_on_a_rule_When_it_runs_Then_the_loss_falls()
    {
        using var model = new LlamaModel(Training.TinyModels.Config, 1, CPU);
        using var trainer = new DpSgdTrainer(model, null, Training.TinyModels.Rings(200, 2), new DpSgdSettings
        {
            NoiseMultiplier = 0.5,
            LogicalBatch = 50,
            PhysicalBatch = 50,
            SequenceLength = 12,
            Optimizer = DpOptimizer.AdamW,
            LearningRate = 0.01,
            Seed = 1,
        });
        trainer.Step();
        double first = trainer.Report().Loss;
        for (int i = 0; i < 60; i++)
            trainer.Step();
        trainer.Report();
        trainer.Step();
        Assert.InRange(trainer.Report().Loss, 0, first - 0.7);
    }

    [Theory]
    [InlineData(6, 2, 9, "the logical batch must be at most the number of examples, 5, got 6")]
    [InlineData(2, 0, 9, "the physical batch must be at least 1, got 0")]
    [InlineData(2, 2, 17, "the sequence length must be at most the model's 16, got 17")]
    public void Given_settings_that_do_not_fit_When_begun_Then_it_says_why(int logical, int physical, int time, string part)
    {
        using var model = TinyDpModels.New("llama");
        var e = Assert.ThrowsAny<ArgumentException>(() => new DpSgdTrainer(model, null, TinyDpModels.Samples, new DpSgdSettings { LogicalBatch = logical, PhysicalBatch = physical, SequenceLength = time }));
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_token_outside_the_vocabulary_When_begun_Then_it_names_token_and_example()
    {
        using var model = TinyDpModels.New("llama");
        Assert.Contains("got 23 in example 1", Assert.Throws<ArgumentException>(() => new DpSgdTrainer(model, null, [[1, 2], [3, 23]], Settings)).Message, StringComparison.Ordinal);
    }

    private static Dictionary<string, Tensor> Copy(CausalModel model) => model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());
}
