using Chorus.Actors.Settings;
using Chorus.Cli.Compare;

namespace Chorus.Cli.Tests.Compare;

public sealed class GpuSharesTests
{
    [Theory]
    [InlineData(2, null, "0,1,0,1,0")]
    [InlineData(2, "3, 5,7", "3,5,3,5,3")] // of those that are this process', and no others
    [InlineData(1, "GPU-1f2e", "GPU-1f2e,GPU-1f2e,GPU-1f2e,GPU-1f2e,GPU-1f2e")]
    [InlineData(0, "3,5", ",,,,")]
    public void Given_gpus_When_workers_are_given_one_each_Then_in_turn(int count, string? visible, string expected)
    {
        var shares = GpuShares.Of(count, "cuda", visible);
        Assert.Equal(expected, string.Join(',', Enumerable.Range(0, 5).Select(shares.OfWorker)));
    }

    [Theory]
    [InlineData(3, "cuda", "0,1", "--gpus 3: CUDA_VISIBLE_DEVICES names 2 (0,1)")]
    [InlineData(2, "cpu", null, "policy.device = cpu would not use")]
    [InlineData(2, "cuda:1", null, "policy.device = cuda:1 would not use")]
    [InlineData(-1, "cuda", null, "--gpus must be in [0, 64], got -1")]
    public void Given_gpus_that_cannot_be_shared_When_asked_for_Then_it_says_so(int count, string device, string? visible, string expected) =>
        Assert.Contains(expected, Assert.Throws<SettingsException>(() => GpuShares.Of(count, device, visible)).Message, StringComparison.Ordinal);
}
