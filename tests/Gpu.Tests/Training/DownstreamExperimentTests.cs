using Chorus.Gpu.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Training;

[Collection(TorchCollection.Name)]
public sealed class DownstreamExperimentTests
{
    private static readonly DownstreamSettings Settings = new()
    {
        Model = TinyModels.Config,
        Training = new LanguageModelTrainingSettings { BatchSize = 4, SequenceLength = 12, LearningRate = 1e-2, WarmUpSteps = 5 },
        FurtherLearningRate = 1e-2,
        MaxFloorEpochs = 6,
        MaxEpochs = 6,
        EvaluationLength = 13,
        Seed = 9,
    };

    private static DownstreamExperiment Experiment(DownstreamSettings? settings = null) => new(settings ?? Settings, CPU);

    [Fact]
    public void Given_synthetic_data_with_some_of_the_private_rule_When_run_Then_popri_lies_between_floor_and_ceiling()
    {
        // Public rings go up by 1, private ones by 2; of the synthetic rings two thirds are like the private ones.
        int[][] synthetic = [.. TinyModels.Rings(20, 1), .. TinyModels.Rings(40, 2)];
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var result = Experiment().Run(TinyModels.Rings(60, 1), synthetic, TinyModels.Rings(60, 2), TinyModels.Rings(15, 2));
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.InRange(result.Floor.TestAccuracy, 0, 0.3);
        Assert.InRange(result.Ceiling.TestAccuracy, 0.7, 1);
        Assert.InRange(result.Popri.TestAccuracy, result.Floor.TestAccuracy + 0.05, result.Ceiling.TestAccuracy);
        Assert.InRange(result.GapClosed!.Value, 0.05, 1);
        Assert.Equal(15 * 12, result.Floor.TestTokens);
        Assert.Equal((54, 6), (result.Floor.TrainingDocuments, result.Floor.ValidationDocuments));
    }

    [Fact]
    public void Given_an_arm_When_trained_Then_the_best_epochs_weights_are_in_the_model()
    {
        var documents = TinyModels.Rings(40, 1);
        var result = Experiment().Train("a", null, documents, TinyModels.Rings(15, 1), out var model);
        using (model)
        {
            Assert.Equal(result.Epochs.Max(e => e.ValidationAccuracy), result.ValidationAccuracy);
            Assert.Equal(result.ChosenEpoch, result.Epochs.First(e => e.ValidationAccuracy == result.ValidationAccuracy).Epoch);
            Assert.Equal(result.TestAccuracy, NextTokenAccuracy.Measure(model, TinyModels.Rings(15, 1), 13, 32).Accuracy);
            Assert.Null(result.Epochs[0].TrainingLoss);
        }
    }

    [Fact]
    public void Given_training_that_only_harms_When_trained_further_Then_epoch_0_is_chosen_and_the_start_is_untouched()
    {
        var experiment = Experiment();
        experiment.Train("floor", null, TinyModels.Rings(60, 1), TinyModels.Rings(15, 1), out var start);
        using (start)
        {
            var weights = Bytes(start);
            var harmful = Experiment(Settings with { FurtherLearningRate = 5 });
            var result = harmful.Train("harm", start, TinyModels.Rings(60, 1), TinyModels.Rings(15, 1), out var model);
            using (model)
            {
                Assert.Equal(0, result.ChosenEpoch);
                Assert.Equal(1 + Settings.Patience, result.Epochs.Length);
                Assert.Equal(weights, Bytes(model));
            }
            Assert.Equal(weights, Bytes(start));
        }
    }

    [Fact]
    public void Given_the_same_seed_When_trained_twice_Then_all_figures_but_time_are_the_same()
    {
        var results = Enumerable.Range(0, 2).Select(_ =>
        {
            var result = Experiment(Settings with { MaxFloorEpochs = 2 }).Train("a", null, TinyModels.Rings(30, 1), TinyModels.Rings(5, 1), out var model);
            model.Dispose();
            return result;
        }).ToArray();
        Assert.Equal(results[0].Epochs, results[1].Epochs.AsEnumerable());
        Assert.Equal(results[0].Test, results[1].Test.AsEnumerable());
        Assert.Equal(results[0] with { Elapsed = default, Epochs = [], Test = [] }, results[1] with { Elapsed = default, Epochs = [], Test = [] });
    }

    [Fact]
    public void Given_other_passes_for_the_floor_When_trained_Then_each_kind_of_model_keeps_to_its_own()
    {
        var experiment = Experiment(Settings with { MaxFloorEpochs = 3, MaxEpochs = 1, Patience = 9 });
        var floor = experiment.Train("floor", null, TinyModels.Rings(30, 1), TinyModels.Rings(5, 1), out var start);
        using (start)
        {
            var arm = experiment.Train("arm", start, TinyModels.Rings(30, 2), TinyModels.Rings(5, 2), out var model);
            model.Dispose();
            Assert.Equal((1 + 3, 1 + 1), (floor.Epochs.Length, arm.Epochs.Length));
        }
    }

    [Fact]
    public void Given_test_documents_When_they_change_Then_the_choice_of_epoch_does_not()
    {
        var a = Experiment().Train("a", null, TinyModels.Rings(30, 1), TinyModels.Rings(5, 1), out var model);
        model.Dispose();
        var b = Experiment().Train("a", null, TinyModels.Rings(30, 1), TinyModels.Rings(5, 7), out model);
        model.Dispose();
        Assert.Equal(a.Epochs, b.Epochs.AsEnumerable());
        Assert.Equal(a.ChosenEpoch, b.ChosenEpoch);
    }

    [Fact]
    public void Given_too_few_documents_When_trained_Then_the_arm_is_named() =>
        Assert.Contains("arm tiny must have 2", Assert.Throws<ArgumentException>(() => Experiment().Train("tiny", null, [[1, 2, 0]], TinyModels.Rings(5, 1), out _)).Message);

    private static byte[] Bytes(Gpu.Models.CausalModel model)
    {
        using var scope = NewDisposeScope();
        return [.. model.parameters().SelectMany(p => p.detach().bytes.ToArray())];
    }
}
