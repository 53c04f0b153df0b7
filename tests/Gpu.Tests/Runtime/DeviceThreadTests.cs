using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Gpu.Tests.Runtime;

[Collection(TorchCollection.Name)]
public sealed class DeviceThreadTests
{
    [Fact]
    public async Task Given_many_callers_When_work_runs_Then_it_runs_on_one_thread_in_order()
    {
        await using var device = new DeviceThread("test", 2);
        var order = new List<int>();
        var threads = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => device.Run(() => { order.Add(i); return Environment.CurrentManagedThreadId; })));
        Assert.Single(threads.Distinct());
        Assert.Equal(Enumerable.Range(0, 100), order);
    }

    [Fact]
    public async Task Given_a_thread_count_When_work_runs_Then_libtorch_uses_it_there()
    {
        await using var device = new DeviceThread("test", 1);
        Assert.Equal(1, await device.Run(torch.get_num_threads));
    }

    [Fact]
    public async Task Given_work_that_throws_When_awaited_Then_the_exception_arrives_and_the_thread_lives_on()
    {
        await using var device = new DeviceThread("test", 1);
        await Assert.ThrowsAsync<InvalidDataException>(() => device.Run(() => throw new InvalidDataException("mine")));
        Assert.Equal(7, await device.Run(() => 7));
    }

    [Fact]
    public async Task Given_waiting_work_When_cancelled_Then_it_never_runs()
    {
        await using var device = new DeviceThread("test", 1);
        using var gate = new ManualResetEventSlim();
        using var cancellation = new CancellationTokenSource();
        var ran = false;
        var first = device.Run(gate.Wait);
        var second = device.Run(() => { ran = true; }, cancellation.Token);
        await cancellation.CancelAsync();
        gate.Set();
        await first;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.False(ran);
    }

    [Fact]
    public async Task Given_queued_work_When_disposed_Then_it_is_finished_and_new_work_refused()
    {
        var device = new DeviceThread("test", 1);
        var done = 0;
        var work = Enumerable.Range(0, 20).Select(_ => device.Run(() => { Interlocked.Increment(ref done); })).ToArray();
        await device.DisposeAsync();
        await device.DisposeAsync();
        Assert.Equal(20, done);
        Assert.All(work, w => Assert.True(w.IsCompletedSuccessfully));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => device.Run(() => 1));
    }
}
