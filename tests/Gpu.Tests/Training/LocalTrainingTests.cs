using Chorus.Gpu.Models;
using Chorus.Gpu.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Training;

[Collection(TorchCollection.Name)]
public sealed class LocalTrainingTests
{
    private static readonly LocalTrainingSettings Settings = new(Epochs: 2, BatchSize: 2, SequenceLength: 12, LearningRate: 0.5);

    [Fact]
    public void Given_weights_When_read_and_written_Then_the_other_model_computes_the_same()
    {
        using var model = TinyModels.New();
        using var other = TinyModels.New();
        using var scope = NewDisposeScope();
        foreach (var parameter in other.parameters())
            parameter.detach().zero_();
        var weights = FlatWeights.Read(model);
        Assert.Equal(FlatWeights.Count(model), weights.Length);
        FlatWeights.Write(other, weights);
        var ids = arange(12).view(1, -1) % TinyModels.Vocabulary;
        Assert.Equal(model.Forward(ids).data<float>().ToArray(), other.Forward(ids).data<float>().ToArray());
        Assert.Throws<ArgumentException>(() => FlatWeights.Write(other, weights.AsSpan(1)));
    }

    // One window, one epoch: the change is one step down the gradient, which is computed here anew.
    [Fact]
    public void Given_one_window_When_trained_Then_the_change_is_minus_the_rate_times_the_gradient()
    {
        using var model = TinyModels.New();
        int[] document = TinyModels.Rings(1, 5)[0];
        var start = FlatWeights.Read(model);
        float[] change;
        using (var training = new LocalTraining(model, start, new LocalTrainingSettings(1, 4, document.Length - 1, 0.25)))
            change = training.Train([document], 1);

        FlatWeights.Write(model, start);
        using var scope = NewDisposeScope();
        var ids = tensor(document.Select(i => (long)i).ToArray()).view(1, -1);
        var logits = model.Forward(ids.narrow(1, 0, document.Length - 1));
        nn.functional.cross_entropy(logits.view(document.Length - 1, -1), ids.narrow(1, 1, document.Length - 1).reshape(-1)).backward();
        float[] gradient = [.. model.parameters().SelectMany(p => p.grad!.reshape(-1).data<float>().ToArray())];
        Assert.Equal(gradient.Length, change.Length);
        for (var i = 0; i < change.Length; i++)
            Assert.Equal(-0.25 * gradient[i], change[i], 1e-6);
        foreach (var parameter in model.parameters())
            parameter.grad = null;
    }

    [Fact]
    public void Given_several_clients_When_trained_one_after_another_Then_none_sees_what_another_learned()
    {
        using var model = TinyModels.New();
        var start = FlatWeights.Read(model);
        using var training = new LocalTraining(model, start, Settings);
        var first = training.Train(TinyModels.Rings(3, 1), 7);
        training.Train(TinyModels.Rings(4, 2), 7);
        Assert.Equal(first, training.Train(TinyModels.Rings(3, 1), 7));
        Assert.NotEqual(first, training.Train(TinyModels.Rings(3, 2), 7));
        Assert.Contains(first, c => c != 0);
        Assert.All(training.Train([], 7), c => Assert.Equal(0, c));
        Assert.All(training.Train([[1]], 7), c => Assert.Equal(0, c));
    }

    [Fact]
    public void Given_many_clients_When_trained_Then_live_tensors_stay_the_same()
    {
        using var model = TinyModels.New();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var training = new LocalTraining(model, FlatWeights.Read(model), Settings))
        {
            training.Train(TinyModels.Rings(3, 1), 7);
            var one = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            for (var client = 0; client < 5; client++)
                training.Train(TinyModels.Rings(3, client), 7);
            Assert.Equal(one, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
