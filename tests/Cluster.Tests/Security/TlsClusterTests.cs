using System.Text.Json;
using Chorus.Cli.Tests.Support;
using Chorus.Cluster.Tests.Chaos;

namespace Chorus.Cluster.Tests.Security;

/// <summary>A cluster of real processes with mutual TLS, and those who are not of it.</summary>
[Collection(LabCollection.Name)]
public sealed class TlsClusterTests(ChaosLab lab)
{
    private readonly TestFolder _folder = lab.Folder;

    [Fact]
    public async Task Given_certificates_of_one_authority_When_a_run_is_done_Then_it_is_the_undisturbed_run_and_strangers_were_refused()
    {
        var (ours, theirs) = (await InitAsync("127.0.0.1,localhost"), await InitAsync("127.0.0.1"));
        var output = _folder.Fresh("tls");
        await using var simulation = Chorus("simulate", "--run", lab.RunFile, "--out", output, "--nodes", "3", "--tls", $"{ours}/127.0.0.1");
        var seed = (await simulation.LineAsync("--seed-node")).Split(' ')[^1];

        await using (var stranger = Chorus("node", "--seed-node", seed, "--tls", $"{theirs}/127.0.0.1"))
        {
            Assert.Equal(2, await stranger.ExitAsync());
            Assert.Contains("not of this cluster's authority", stranger.Errors, StringComparison.Ordinal);
        }

        await using (var status = Chorus("cluster", "status", "--node", seed, "--tls", $"{ours}/localhost", "--json"))
        {
            Assert.Equal(0, await status.ExitAsync());
            var found = JsonDocument.Parse(status.Output).RootElement;
            Assert.Equal(1, found.GetProperty("members").GetArrayLength());
            Assert.Equal("waiting for nodes", found.GetProperty("run").GetProperty("phase").GetString());
        }

        await using var plain = Chorus("node", "--seed-node", seed);
        await using var first = Chorus("node", "--seed-node", seed, "--tls", $"{ours}/127.0.0.1");
        await using var second = Chorus("node", "--seed-node", seed, "--tls", $"{ours}/localhost");

        Assert.True(await simulation.ExitAsync() == 0, simulation.Errors);
        Assert.Equal(await lab.UndisturbedAsync(), FinishedSummary.Of(output));
        Assert.Equal(3, RunResultView.Of(output).Root.GetProperty("nodes").GetInt32());
        Assert.DoesNotContain("joined as", plain.Output, StringComparison.Ordinal);
        Assert.Contains("refused 127.0.0.1", simulation.Errors, StringComparison.Ordinal);
        foreach (var said in new[] { simulation, first, second, plain })
            Assert.DoesNotContain("PRIVATE KEY", said.Output + said.Errors, StringComparison.Ordinal);
    }

    private async Task<string> InitAsync(string hosts)
    {
        var folder = _folder.Fresh("certificates");
        await using var init = Chorus("cluster", "init", "--out", folder, "--hosts", hosts);
        Assert.True(await init.ExitAsync() == 0, init.Errors);
        return folder;
    }

    private ChildProcess Chorus(params string[] arguments) => ChildProcess.Chorus(_folder, arguments);
}
