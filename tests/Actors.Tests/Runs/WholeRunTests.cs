using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;

namespace Chorus.Actors.Tests.Runs;

public sealed class WholeRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_the_same_seed_When_run_on_one_node_and_on_three_Then_the_releases_are_the_same_bytes()
    {
        var data = TinyCorpus.Write(_folder.In("data"));
        var one = await Releases(data, "one", nodes: 1);
        var three = await Releases(data, "three", nodes: 3);

        Assert.Equal(2, one.Length);
        Assert.Equal(one, three);
    }

    private async Task<string[]> Releases(string data, string name, int nodes)
    {
        using var context = RunPreparation.New(TestRun.Settings(data), _folder.In(name), null, CancellationToken.None);
        var ended = await TestRun.RunAsync(context, nodes);
        Assert.True(ended.Outcome == RunOutcome.Done, ended.Message);
        return [.. Enumerable.Range(1, 2).Select(r => RunFolder.ReadJson<Release>(context.Folder.Release(r))).Select(r =>
        {
            Assert.Equal(23, r.ClientsCounted);
            return r.Sha256();
        })];
    }
}
