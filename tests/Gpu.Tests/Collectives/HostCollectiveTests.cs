using Chorus.Gpu.Collectives;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Collectives;

/// <summary>Sums and copies over ranks, and what becomes of them when a rank goes.</summary>
[Collection(TorchCollection.Name)]
public sealed class HostCollectiveTests
{
    // Odd lengths, several messages (1 MiB each), and none at all.
    [Theory]
    [InlineData(1, 7, ScalarType.Float32)]
    [InlineData(2, 700_001, ScalarType.Float32)]
    [InlineData(3, 5, ScalarType.Float64)]
    [InlineData(4, 1, ScalarType.Float64)]
    [InlineData(4, 1_300_003, ScalarType.BFloat16)]
    [InlineData(3, 1001, ScalarType.Float16)]
    [InlineData(2, 9, ScalarType.Int64)]
    [InlineData(2, 0, ScalarType.Float32)]
    public void Given_a_tensor_on_each_rank_When_all_reduced_Then_all_have_the_sum_in_the_order_of_ranks(int count, int length, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var inputs = Enumerable.Range(0, count).Select(r => Input(r, length, type)).ToArray();
        var results = Ranks.Run(count, c =>
        {
            var mine = inputs[c.Rank].clone().DetachFromDisposeScope();
            c.AllReduce(mine).Wait();
            return mine;
        });
        // Half-precision sums are made in float32 and rounded once.
        bool half = type is ScalarType.BFloat16 or ScalarType.Float16;
        var expected = inputs[0].to_type(half ? ScalarType.Float32 : type);
        foreach (var input in inputs.Skip(1))
            expected = expected + input.to_type(expected.dtype);
        foreach (var result in results)
        {
            Assert.True(result.equal(expected.to_type(type)).all().item<bool>());
            result.Dispose();
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Given_slices_When_scattered_and_gathered_Then_each_rank_sums_its_own_and_gets_the_others(int count)
    {
        using var scope = NewDisposeScope();
        int slice = 300_000;
        var inputs = Enumerable.Range(0, count).Select(r => Input(r, slice * count, ScalarType.Float32)).ToArray();
        var expected = inputs.Skip(1).Aggregate(inputs[0], (a, b) => a + b);
        var results = Ranks.Run(count, c =>
        {
            var mine = inputs[c.Rank].clone().DetachFromDisposeScope();
            c.ReduceScatter(mine).Wait();
            using (var own = mine.narrow(0, slice * c.Rank, slice))
            using (var wanted = expected.narrow(0, slice * c.Rank, slice))
                Assert.True(own.equal(wanted).all().item<bool>());
            c.AllGather(mine).Wait();
            return mine;
        });
        foreach (var result in results)
        {
            Assert.True(result.equal(expected).all().item<bool>());
            result.Dispose();
        }
    }

    [Fact]
    public void Given_calls_under_way_When_waited_for_in_another_order_Then_each_has_its_own_result()
    {
        var sums = Ranks.Run(3, c =>
        {
            using var scope = NewDisposeScope();
            var values = Enumerable.Range(0, 6).Select(i => full([100], (float)(i + c.Rank))).ToArray();
            var works = values.Select((v, i) => i % 2 == 0 ? c.AllReduce(v) : c.Broadcast(v, i % 3)).ToArray();
            foreach (var work in works.Reverse())
                work.Wait();
            c.Complete();
            return values.Select(v => v[99].item<float>()).ToArray();
        });
        foreach (var sum in sums)
            Assert.Equal([3, 2, 9, 3, 15, 7], sum);
    }

    [Fact]
    public void Given_a_rank_that_leaves_When_it_is_waited_for_Then_the_others_are_told_which()
    {
        var e = Assert.Throws<CollectiveBrokenException>(() => Ranks.Run(3, c =>
        {
            using var values = zeros(10);
            if (c.Rank == 1)
                return 0; // its collective is disposed
            c.AllReduce(values).Wait();
            return 1;
        }));
        Assert.Contains("rank 1 has left the group", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_rank_that_is_silent_When_patience_ends_Then_the_others_do_not_hang()
    {
        using var silent = new ManualResetEventSlim();
        var e = Assert.Throws<CollectiveBrokenException>(() => Ranks.Run(
            2,
            c =>
            {
                using var values = zeros(10);
                if (c.Rank == 1)
                    silent.Wait();
                try
                {
                    c.AllReduce(values).Wait();
                    return 0;
                }
                finally
                {
                    silent.Set();
                }
            },
            patience: TimeSpan.FromMilliseconds(100)));
        Assert.Contains("rank 1 sent nothing", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_an_abort_When_others_wait_Then_they_end_with_its_reason_and_so_does_what_comes_later()
    {
        var links = SharedMemoryLinks.Create(2);
        using var first = new HostCollective(links[0]);
        using var second = new HostCollective(links[1]);
        using var values = zeros(10);
        var work = first.AllReduce(values);
        second.Abort("node 10.0.0.7 is gone");
        Assert.Contains("node 10.0.0.7 is gone", Assert.Throws<CollectiveBrokenException>(work.Wait).Message, StringComparison.Ordinal);
        Assert.Throws<CollectiveBrokenException>(() => first.AllReduce(values).Wait());
    }

    [Fact]
    public void Given_ranks_that_do_not_do_the_same_When_they_meet_Then_it_is_said_and_not_summed()
    {
        var e = Assert.Throws<CollectiveBrokenException>(() => Ranks.Run(2, c =>
        {
            using var values = zeros(c.Rank == 0 ? 10 : 12);
            c.AllReduce(values).Wait();
            return 0;
        }));
        Assert.Contains("the ranks do not do the same", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_what_cannot_be_sliced_When_asked_for_Then_it_is_refused_before_anything_is_sent()
    {
        using var collective = new HostCollective(SharedMemoryLinks.Create(1)[0]);
        using var square = zeros(3, 4);
        using var turned = square.t();
        Assert.Throws<ArgumentException>(() => collective.AllReduce(turned));
        var links = SharedMemoryLinks.Create(2);
        using var first = new HostCollective(links[0]);
        using var other = links[1];
        using var odd = zeros(3);
        Assert.Contains("2 equal slices, got 3", Assert.Throws<ArgumentException>(() => first.ReduceScatter(odd)).Message, StringComparison.Ordinal);
    }

    private static Tensor Input(int rank, int length, ScalarType type)
    {
        if (type == ScalarType.Int64)
            return arange(length, ScalarType.Int64) * (rank + 1);
        using var generator = new Generator((ulong)(rank + 1), CPU);
        return randn([length], ScalarType.Float32, generator: generator).to_type(type);
    }
}
