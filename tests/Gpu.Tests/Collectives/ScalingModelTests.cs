using Chorus.Gpu.Collectives;

namespace Chorus.Gpu.Tests.Collectives;

public sealed class ScalingModelTests
{
    private static readonly GroupLinks Fast = new("fast", 8, 400e9, 50e9, 1, 0), Slow = new("slow", 8, 1e9, 1e9, 1, 0);

    [Fact]
    public void Given_two_depths_When_fitted_Then_a_third_is_on_their_line()
    {
        double Step(int layers) => 0.010 + (layers * 0.030) + (layers * 3e9 / 1e12);
        var compute = MeasuredCompute.From((2, Step(2), 2 * 3e9), (4, Step(4), 4 * 3e9), updateRate: 1e12);
        Assert.Equal(0.030, compute.LayerSeconds, 12);
        Assert.Equal(0.010, compute.RestSeconds, 12);
        Assert.Equal(Step(6), ScalingModel.Predict(compute, new StepShape(6, [6e9], 1 * 3.0, 1), Fast, 1).Seconds - (6 * 3e9 * 0 / 1e12), 12);
    }

    [Fact]
    public void Given_links_without_end_When_predicted_Then_n_devices_take_one_devices_step_with_an_nth_of_its_update()
    {
        var links = new GroupLinks("perfect", 8, 1e30, 1e30, 1, 0);
        var step = new StepShape(1, [1e9, 1e9], 7, 1);
        var predicted = ScalingModel.Predict(new MeasuredCompute(1, 0, 1e12), step, links, 4);
        Assert.Equal(1 + (14e9 / 1e12 / 4), predicted.Seconds, 9);
        Assert.Equal(0, predicted.Exposed, 9);
    }

    [Fact]
    public void Given_links_that_are_slower_than_all_else_When_predicted_Then_the_rings_rate_decides()
    {
        // Little but communication: two passes of (n - 1) / n of the bytes, of which one bucket's hides behind a moment of compute.
        var step = new StepShape(1, [5e9, 5e9], 0, 1);
        var predicted = ScalingModel.Predict(new MeasuredCompute(3e-3, 0, 1e12), step, Slow, 2);
        Assert.Equal(10, predicted.Communicating, 9);
        Assert.InRange(predicted.Seconds, 9.99, 10.01);
        Assert.Equal(predicted.Seconds - 3e-3, predicted.Exposed, 9);
    }

    [Fact]
    public void Given_links_that_are_faster_than_compute_When_predicted_Then_only_the_first_layers_buckets_show()
    {
        // A tenth of a second of compute a bucket, a hundredth of communication: the last sum, and the first weights after it, are all that is waited for.
        var step = new StepShape(1, [.. Enumerable.Repeat(4e9, 10)], 0, 1);
        var predicted = ScalingModel.Predict(new MeasuredCompute(1, 0, 1e12), step, Fast with { NodeRate = 200e9 }, 2);
        Assert.Equal(0.2, predicted.Communicating, 9);
        Assert.Equal(0.02, predicted.Exposed, 9);
    }

    [Fact]
    public void Given_communication_that_takes_from_compute_When_predicted_Then_what_is_hidden_costs_its_share()
    {
        var step = new StepShape(1, [.. Enumerable.Repeat(4e9, 10)], 0, 1);
        var links = Fast with { NodeRate = 200e9 };
        var free = ScalingModel.Predict(new MeasuredCompute(1, 0, 1e12), step, links, 2);
        var half = ScalingModel.Predict(new MeasuredCompute(1, 0, 1e12), step, links with { Contention = 0.5 }, 2);
        Assert.Equal(free.Exposed, half.Exposed, 9);
        Assert.Equal(free.Seconds + (0.5 * (0.2 - 0.02)), half.Seconds, 9);
        Assert.Equal(1 / half.Seconds, half.Efficiency, 9);
        // All of it: no better than to wait for each message.
        var all = ScalingModel.Predict(new MeasuredCompute(1, 0, 1e12), step, links with { Contention = 1 }, 2);
        Assert.Equal(1 + all.Communicating, all.Seconds, 9);
    }

    [Fact]
    public void Given_more_nodes_When_predicted_Then_all_ports_of_a_node_carry_its_rings()
    {
        Assert.Equal(400e9, Fast.Rate(8));
        Assert.Equal(400e9, Fast.Rate(64)); // eight ports of 50e9
        Assert.Equal(200e9, (Fast with { NetworkRate = 25e9 }).Rate(16));
    }

    [Fact]
    public void Given_latency_alone_When_predicted_Then_each_ring_costs_its_hops()
    {
        var links = new GroupLinks("far", 64, 1e30, 1e30, 1, 1e-3);
        var predicted = ScalingModel.Predict(new MeasuredCompute(0, 0, 1e30), new StepShape(1, [1, 1, 1], 0, 1), links, 64);
        Assert.Equal(2 * 3 * 63e-3, predicted.Communicating, 9);
        Assert.Equal(predicted.Communicating, predicted.Seconds, 9); // nothing to hide it behind
    }
}
