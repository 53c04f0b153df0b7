using Chorus.Gpu.Dpo;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tests.Collectives;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Dpo;

/// <summary>Ranks that tune together end where one does.</summary>
[Collection(TorchCollection.Name)]
public sealed class DpoGroupTests : IDisposable
{
    private static readonly LlamaConfig Tiny = new() { VocabularySize = 30, HiddenSize = 16, IntermediateSize = 24, Layers = 2, Heads = 4, KeyValueHeads = 2, MaxLength = 32 };

    // Seven pairs in batches of three: four ranks are more than a batch has pairs, and the last batch has one.
    private static readonly TokenPair[] Pairs =
        [.. Enumerable.Range(0, 7).Select(i => new TokenPair([1 + i, 2, 3], [4 + i, 5, .. Enumerable.Repeat(6, i)], [7, 8 + i]))];

    private static readonly DpoSettings Settings = new() { BatchSize = 3, GradientAccumulation = 2, Epochs = 2, LearningRate = 1e-3, WarmUpSteps = 2 };

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Given_several_ranks_When_tuned_Then_adapter_and_summary_are_one_ranks(int count)
    {
        var (alone, summary) = Tune(1, null)[0];
        foreach (var (adapter, other) in Tune(count, null))
        {
            AssertClose(alone, adapter);
            Assert.Equal((summary.Steps, summary.RewardAccuracy), (other.Steps, other.RewardAccuracy));
            Assert.Equal(summary.FirstLoss, other.FirstLoss, 5);
            Assert.Equal(summary.LastLoss, other.LastLoss, 5);
            Assert.Equal(summary.RewardMargin, other.RewardMargin, 5);
        }
    }

    [Fact]
    public void Given_a_tuning_of_two_ranks_that_one_of_them_is_told_to_stop_When_four_go_on_Then_they_end_where_it_would_have()
    {
        var (whole, _) = Tune(2, null)[0];
        var resume = new DpoResume(_folder["state"], EverySteps: 1);
        Assert.ThrowsAny<OperationCanceledException>(() => Tune(2, resume, stopAfter: 3));
        var (resumed, summary) = Tune(4, resume)[0];
        Assert.Equal(6, summary.Steps);
        AssertClose(whole, resumed);
    }

    private static (Tensor[] Adapter, DpoSummary Summary)[] Tune(int count, DpoResume? resume, int stopAfter = int.MaxValue) => Ranks.Run(count, group =>
    {
        using var model = new LlamaModel(Tiny, 3, CPU);
        using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 2 }, seed: (ulong)(5 + group.Rank)); // all get rank 0's
        using var stop = new CancellationTokenSource();
        var steps = new Steps(done =>
        {
            if (done >= stopAfter && group.Rank == group.Count - 1)
                stop.Cancel(); // one rank alone is told
        });
        var summary = new DpoTrainer(model, adapter, endToken: 0).Train(Pairs, Settings, 9, steps, stop.Token, resume, group.Count == 1 ? null : group);
        return (adapter.Parameters.Select(p => p.detach().clone().DetachFromDisposeScope()).ToArray(), summary);
    });

    private static void AssertClose(Tensor[] expected, Tensor[] actual)
    {
        foreach (var (a, b) in expected.Zip(actual))
            Assert.True((a - b).norm().item<float>() <= 1e-4 * a.norm().item<float>() + 1e-7, $"off by {(a - b).norm().item<float>()} of {a.norm().item<float>()}");
    }

    private sealed class Steps(Action<int> told) : IProgress<int>
    {
        public void Report(int value) => told(value);
    }
}
