using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.DpSgd;

/// <summary>What a device will need, before the start.</summary>
[Collection(TorchCollection.Name)]
public sealed class MemoryPlanTests
{
    private const double Gibibyte = 1L << 30;

    private static DpSgdSettings Settings { get; } = new() { LogicalBatch = 8, PhysicalBatch = 8, SequenceLength = 1024 };

    // Peaks of whole training runs on an H200 (Benchmarks/results/2026-11-24-h200.md), everything on the device counted.
    [Theory]
    [InlineData("llama-13b", 2, 1024, 10_705)]
    [InlineData("gpt2-medium", null, 1023, 13_367)]
    public void Given_a_run_that_was_measured_When_planned_Then_the_plan_is_within_five_percent(string name, int? layers, int time, int measuredMebibytes)
    {
        var shape = NamedShapes.ShapeOf(name, layers);
        var plan = MemoryPlan.Of(shape, MemoryPlan.Trained(shape, linearOnly: true, null), 2, Settings with { SequenceLength = time }, 1, gpu: true);
        Assert.InRange(plan.Total / (measuredMebibytes * 1048576.0), 0.95, 1.05);
    }

    [Fact]
    public void Given_Llama_13B_with_AdamW_When_planned_for_80_GB_devices_Then_four_are_enough_and_two_are_not()
    {
        var shape = NamedShapes.ShapeOf("llama-13b", null);
        MemoryPlan Plan(int ranks) => MemoryPlan.Of(shape, shape.ParameterCount, 2, Settings with { Optimizer = DpOptimizer.AdamW, PhysicalBatch = 1 }, ranks, gpu: true);
        long free = (long)(79.1 * Gibibyte);
        Assert.Equal(2 * 13_015_864_320, Plan(4).Weights);
        Assert.Equal(Plan(4).Weights, Plan(4).Sums);
        Assert.Equal(4 * 13_015_864_320 / 4, Plan(4).Optimizer);
        Assert.Null(Plan(4).Refusal(free, "node cuda:0", 4));
        var refusal = Plan(2).Refusal(free, "node cuda:0", 2);
        Assert.Contains("node cuda:0 has 79.10 GiB free, and each of 2 ranks needs 82.", refusal, StringComparison.Ordinal);
        Assert.Contains("optimizer 24.24 GiB", refusal, StringComparison.Ordinal);
        Assert.Null(Plan(2).Refusal(null, "node cuda:0", 2)); // not known
    }

    [Fact]
    public void Given_real_models_When_counted_Then_the_shapes_count_is_theirs()
    {
        using var llama = NamedShapes.Create("tiny", 2, CPU, ScalarType.Float32, 1);
        Assert.Equal(llama.parameters().Sum(p => p.numel()), MemoryPlan.Trained(llama.Shape, linearOnly: false, null));
        Assert.Equal(llama.Projections.SkipLast(1).Sum(p => p.Projection.Weight.numel()), MemoryPlan.Trained(llama.Shape, linearOnly: true, null));
        using var adapter = LoraAdapter.Attach(llama, new LoraSettings { Rank = 3, TargetPattern = LoraSettings.AllLinear }, 1);
        Assert.Equal(adapter.Parameters.Sum(p => p.numel()), MemoryPlan.Trained(llama.Shape, linearOnly: false, 3));
        using var gpt2 = TinyDpModels.New("gpt2", ScalarType.Float32);
        Assert.Equal(gpt2.parameters().Sum(p => p.numel()), MemoryPlan.Trained(gpt2.Shape, linearOnly: false, null));
    }

    [Fact]
    public void Given_what_costs_memory_When_asked_for_Then_the_plan_grows_by_it()
    {
        var shape = NamedShapes.ShapeOf("llama-1b", null);
        MemoryPlan Plan(DpSgdSettings s) => MemoryPlan.Of(shape, shape.ParameterCount, 2, s, 1, gpu: true);
        Assert.Equal(0, Plan(Settings).Optimizer);
        Assert.Equal(2 * shape.ParameterCount, Plan(Settings with { Momentum = 0.9 }).Optimizer);
        Assert.True(Plan(Settings with { Clipping = new ClippingSettings { Kind = ClippingKind.Flat } }).Activations > 1.3 * Plan(Settings).Activations);
        Assert.True(Plan(Settings with { Method = DpMethod.Explicit }).Activations > 8 * 2 * shape.ParameterCount);
    }
}
