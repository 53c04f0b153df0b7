using System.Text.Json;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

/// <summary>Figures of docs/privacy.md, solved elsewhere with 50 digits.</summary>
[Collection(CliCollection.Name)]
public sealed class AccountCommandTests(CliFixture shared)
{
    [Fact]
    public async Task Given_the_papers_noise_When_asked_for_epsilon_Then_it_is_the_known_figure()
    {
        await using var chorus = ChildProcess.Chorus(shared.Folder, "account", "epsilon", "--noise", "19.3", "--rounds", "20", "--delta", "3e-6");

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        Assert.StartsWith("epsilon 0.91948", chorus.Output, StringComparison.Ordinal); // 0.9195
        Assert.Contains("add or remove one", chorus.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_epsilon_one_When_asked_for_noise_Then_it_is_the_known_figure()
    {
        await using var chorus = ChildProcess.Chorus(shared.Folder, "account", "noise", "--epsilon", "1", "--rounds", "20", "--delta", "3e-6");

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        Assert.StartsWith("noise multiplier 17.864", chorus.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_json_is_asked_for_When_it_is_read_Then_it_holds_the_figures_and_what_they_mean()
    {
        await using var chorus = ChildProcess.Chorus(shared.Folder, "account", "noise", "--epsilon", "1", "--rounds", "20", "--delta", "3e-6", "--json");

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        using var json = JsonDocument.Parse(chorus.Output);
        Assert.Equal(17.8641, json.RootElement.GetProperty("noise_multiplier").GetDouble(), 4);
        Assert.Equal(1, json.RootElement.GetProperty("epsilon").GetDouble());
        Assert.Equal(3e-6, json.RootElement.GetProperty("delta").GetDouble());
        Assert.Equal(20, json.RootElement.GetProperty("rounds").GetInt32());
        Assert.Equal("add-or-remove-one", json.RootElement.GetProperty("adjacency").GetString());
    }
}
