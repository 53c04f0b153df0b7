using Chorus.Gpu.Tests.Collectives;
using Chorus.Gpu.Training;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Training;

/// <summary>Ranks that train together end where one does.</summary>
[Collection(TorchCollection.Name)]
public sealed class LanguageModelGroupTests
{
    // 13 windows of 12: three batches of 4 and one of 1, of which four ranks have one, or none.
    private static readonly LanguageModelTrainingSettings Quick = new() { BatchSize = 4, SequenceLength = 12, Steps = 12, LearningRate = 1e-2, WarmUpSteps = 5, Seed = 3 };

    [Fact]
    public void Given_one_two_or_four_ranks_When_trained_Then_the_weights_are_the_same()
    {
        using var scope = NewDisposeScope();
        var (alone, summary) = Train(1)[0];
        foreach (int count in new[] { 2, 4 })
        {
            foreach (var (weights, other) in Train(count))
            {
                foreach (var (a, b) in alone.Zip(weights))
                    Assert.True((a - b).norm().item<float>() <= 1e-4 * a.norm().item<float>(), $"off by {(a - b).norm().item<float>()} of {a.norm().item<float>()}");
                Assert.Equal((summary.Steps, summary.Tokens), (other.Steps, other.Tokens));
                Assert.Equal(summary.LastLoss, other.LastLoss, 4);
            }
        }
    }

    [Fact]
    public void Given_more_devices_When_an_arm_is_trained_Then_it_comes_out_as_on_one()
    {
        var settings = new DownstreamSettings
        {
            Model = TinyModels.Config,
            Training = new LanguageModelTrainingSettings { BatchSize = 4, SequenceLength = 12, LearningRate = 1e-2, WarmUpSteps = 5 },
            MaxFloorEpochs = 3,
            EvaluationLength = 13,
            Seed = 9,
        };
        var arms = new[] { 0, 2 }.Select(others =>
        {
            var result = new DownstreamExperiment(settings, CPU, [.. Enumerable.Repeat(CPU, others)]).Train("a", null, TinyModels.Rings(30, 1), TinyModels.Rings(15, 1), out var model);
            model.Dispose();
            return result;
        }).ToArray();
        Assert.Equal((arms[0].ChosenEpoch, arms[0].Epochs.Length), (arms[1].ChosenEpoch, arms[1].Epochs.Length));
        Assert.Equal(arms[0].TestAccuracy, arms[1].TestAccuracy, 0.03); // a token or two may be on the edge
        Assert.Equal(arms[0].Epochs[^1].TrainingLoss!.Value, arms[1].Epochs[^1].TrainingLoss!.Value, 3);
    }

    private static (Tensor[] Weights, TrainingSummary Summary)[] Train(int count) => Ranks.Run(count, group =>
    {
        using var model = TinyModels.New(seed: (ulong)(1 + group.Rank)); // all get rank 0's weights
        var summary = LanguageModelTrainer.Train(model, TinyModels.Rings(12, 1), Quick, group: group.Count == 1 ? null : group);
        return (model.parameters().Select(p => p.detach().clone().DetachFromDisposeScope()).ToArray(), summary);
    });
}
