using Chorus.Gpu.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Training;

[Collection(TorchCollection.Name)]
public sealed class LanguageModelTrainerTests
{
    private static readonly LanguageModelTrainingSettings Quick = new() { BatchSize = 4, SequenceLength = 12, Steps = 60, LearningRate = 1e-2, WarmUpSteps = 5, Seed = 3 };

    [Fact]
    public void Given_documents_with_a_rule_When_trained_Then_the_loss_falls_far_below_chance()
    {
        using var model = TinyModels.New();
        var summary = LanguageModelTrainer.Train(model, TinyModels.Rings(30, 1), Quick with { Steps = 150 });
        Assert.Equal(150, summary.Steps);
        Assert.Equal(Math.Log(TinyModels.Vocabulary), summary.FirstLoss, 0.2); // an untrained model knows nothing
        Assert.True(summary.LastLoss < 0.8, $"last loss {summary.LastLoss}");
        // 390 tokens are 33 windows of 12: 8 batches of 4 and one of 1; 150 steps are 16 such epochs and 6 batches.
        Assert.Equal((16 * 33 + 6 * 4) * 12, summary.Tokens);
    }

    [Fact]
    public void Given_the_same_seed_When_trained_twice_Then_the_weights_are_the_same_bits()
    {
        Assert.Equal(TrainedBytes(3), TrainedBytes(3));
        Assert.NotEqual(TrainedBytes(3), TrainedBytes(4));

        static byte[] TrainedBytes(ulong seed)
        {
            using var model = TinyModels.New();
            LanguageModelTrainer.Train(model, TinyModels.Rings(30, 1), Quick with { Steps = 20, Seed = seed });
            using var scope = NewDisposeScope();
            return [.. model.parameters().SelectMany(p => p.detach().bytes.ToArray())];
        }
    }

    [Fact]
    public void Given_many_steps_When_trained_Then_live_tensors_stay_the_same()
    {
        using var model = TinyModels.New();
        var counts = new List<long>();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        LanguageModelTrainer.Train(model, TinyModels.Rings(30, 1), Quick with { Steps = 12 }, new Inline<TrainingProgress>(_ => counts.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount)));
        Assert.Equal(12, counts.Count);
        Assert.Single(counts.Skip(2).Distinct());
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.All(model.parameters(), p => Assert.Null(p.grad));
    }

    [Fact]
    public void Given_a_cancelled_token_When_trained_Then_it_ends_between_two_steps()
    {
        using var model = TinyModels.New();
        using var cancellation = new CancellationTokenSource();
        var steps = 0;
        var progress = new Inline<TrainingProgress>(p => { if ((steps = p.Step) == 3) cancellation.Cancel(); });
        Assert.ThrowsAny<OperationCanceledException>(() => LanguageModelTrainer.Train(model, TinyModels.Rings(30, 1), Quick, progress, cancellation.Token));
        Assert.Equal(3, steps);
    }

    [Fact]
    public void Given_a_learning_rate_far_too_high_When_trained_Then_the_divergence_is_reported()
    {
        using var model = TinyModels.New();
        using (no_grad())
            model.parameters().First().fill_(float.NaN);
        Assert.Contains("step 1 of 60", Assert.Throws<TrainingDivergedException>(() => LanguageModelTrainer.Train(model, TinyModels.Rings(30, 1), Quick)).Message);
    }

    [Fact]
    public void Given_ids_outside_the_vocabulary_When_trained_Then_id_and_document_are_named()
    {
        using var model = TinyModels.New();
        Assert.Contains("got 16 in document 1", Assert.Throws<ArgumentException>(() => LanguageModelTrainer.Train(model, [[1, 2, 0], [16, 0]], Quick)).Message);
        Assert.Contains("2 tokens or more", Assert.Throws<ArgumentException>(() => LanguageModelTrainer.Train(model, [[1]], Quick)).Message);
        Assert.Contains("MaxLength 24", Assert.Throws<ArgumentException>(() => LanguageModelTrainer.Train(model, [[1, 0]], Quick with { SequenceLength = 25 })).Message);
    }

    [Fact]
    public void Given_fewer_tokens_than_a_window_When_trained_Then_the_window_is_shorter()
    {
        using var model = TinyModels.New();
        Assert.Equal(2 * 3, LanguageModelTrainer.Train(model, [[1, 2], [3, 0]], Quick with { Steps = 2 }).Tokens);
    }

    private sealed class Inline<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
