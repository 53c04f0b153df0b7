using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Gpu.Tests.Runtime;

[Collection(TorchCollection.Name)]
public sealed class TorchRuntimeTests
{
    [Fact]
    public void Given_a_prepared_process_When_prepared_again_by_many_threads_Then_nothing_changes()
    {
        Parallel.For(0, 8, i => TorchRuntime.Prepare(i));
        Assert.Equal(2, TorchRuntime.Threads);
        Assert.True(Directory.Exists(TorchRuntime.Folder));
    }

    [Fact]
    public void Given_a_negative_thread_count_When_prepared_Then_it_is_refused() =>
        Assert.Contains("got -1", Assert.Throws<ArgumentOutOfRangeException>(() => TorchRuntime.Prepare(-1)).Message);

    [Fact]
    public void Given_a_prepared_process_When_the_environment_is_read_Then_OpenMP_waits_passively() =>
        Assert.Equal("passive", Environment.GetEnvironmentVariable("OMP_WAIT_POLICY"), ignoreCase: true);

    [Fact]
    public void Given_a_prepared_process_When_an_operator_runs_Then_libtorch_is_there()
    {
        using var t = torch.arange(5, torch.float32);
        Assert.Equal(10f, t.sum().item<float>());
    }
}
