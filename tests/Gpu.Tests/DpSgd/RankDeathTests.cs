using Chorus.Gpu.Collectives;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Tests.Collectives;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>A rank dies at every point that a run of a group has: who is left goes on from the saved state, and ends where an undisturbed run ends.</summary>
[Collection(TorchCollection.Name)]
public sealed class RankDeathTests : IDisposable
{
    private const int Steps = 3;

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private static DpSgdSettings Settings { get; } = new()
    {
        Clipping = new ClippingSettings { Threshold = 0.7, Thresholds = ThresholdChoice.Adaptive },
        NoiseMultiplier = 1.3,
        LogicalBatch = 3,
        PhysicalBatch = 2,
        SequenceLength = TinyDpModels.Length,
        Optimizer = DpOptimizer.AdamW,
        LearningRate = 0.003,
        Seed = null, // the secret must come from the state
    };

    [Fact]
    public void Given_a_rank_that_dies_at_any_call_When_the_other_goes_on_from_the_saved_state_Then_no_step_is_lost_doubled_or_halved()
    {
        // The state of step 0 is where all runs begin, so that they share the secret.
        var start = _folder["start"];
        Ranks.Run(2, c => Begun(c, null, t => t.SaveState(start)));
        var (expected, calls) = Undisturbed(start);
        Assert.True(calls > 20, $"only {calls} calls to die at");
        for (int dies = 0; dies < calls; dies++)
        {
            var state = _folder[$"state-{dies}"];
            File.Copy(start, state);
            // Rank 1 dies at that call; rank 0 learns it, however far it is.
            var deaths = Ranks.Run(2, c => Epoch(c.Rank == 1 ? new MortalCollective(c, dies) : c, state));
            Assert.IsType<DeathException>(deaths[1]);
            Assert.True(deaths[0] is null or CollectiveBrokenException, $"{deaths[0]}");

            var (weights, step) = Alone(state);
            Assert.Equal(Steps, step);
            TinyDpModels.AssertClose(expected, weights, 1e-6);
        }
    }

    private (Dictionary<string, Tensor> Weights, int Calls) Undisturbed(string start)
    {
        var state = _folder["undisturbed"];
        File.Copy(start, state);
        int[] calls = Ranks.Run(2, c =>
        {
            var counting = new MortalCollective(c, int.MaxValue);
            Assert.Null(Epoch(counting, state));
            return counting.Calls;
        });
        return (Alone(state).Weights, calls[1]);
    }

    // All steps, each saved; what ended them, null where they came to their end.
    private static Exception? Epoch(ICollective group, string state)
    {
        try
        {
            Begun(group, state, trainer =>
            {
                while (trainer.StepsDone < Steps)
                {
                    trainer.Step();
                    trainer.SaveState(state);
                }
            });
            return null;
        }
        catch (Exception e) when (e is DeathException or CollectiveBrokenException)
        {
            if (e is DeathException)
                group.Dispose(); // its peers hear nothing more
            return e;
        }
    }

    private static int Begun(ICollective group, string? state, Action<DpSgdTrainer> then)
    {
        using var model = TinyDpModels.New("gpt2", seed: group.Rank == 0 ? 3ul : 9ul);
        using var trainer = new DpSgdTrainer(model, null, TinyDpModels.Samples, Settings, null, group);
        trainer.LoadState(state);
        then(trainer);
        return trainer.StepsDone;
    }

    private static (Dictionary<string, Tensor> Weights, int Step) Alone(string state)
    {
        using var model = TinyDpModels.New("gpt2", seed: 5);
        using var trainer = new DpSgdTrainer(model, null, TinyDpModels.Samples, Settings);
        trainer.LoadState(state);
        while (trainer.StepsDone < Steps)
            trainer.Step();
        return (model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone()), trainer.StepsDone);
    }
}
