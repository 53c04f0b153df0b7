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
        Assert.InRange(json.RootElement.GetProperty("epsilon").GetDouble(), 1 - 1e-6, 1);
        Assert.Equal(3e-6, json.RootElement.GetProperty("delta").GetDouble());
        Assert.Equal(20, json.RootElement.GetProperty("rounds").GetInt32());
        Assert.Equal("add-or-remove-one", json.RootElement.GetProperty("adjacency").GetString());
    }

    [Fact]
    public async Task Given_sampled_releases_When_asked_for_epsilon_Then_every_accountant_answers_and_the_sampling_is_named()
    {
        await using var poisson = ChildProcess.Chorus(shared.Folder, "account", "epsilon", "--noise-multiplier", "1", "--sampling-rate", "0.01", "--steps", "10000", "--delta", "1e-5", "--json");
        Assert.Equal(ExitCode.Done, await poisson.ExitAsync());
        using var json = JsonDocument.Parse(poisson.Output);
        double Of(string name) => json.RootElement.GetProperty(name).GetDouble();
        Assert.InRange(Of("pld"), 6.1877, 6.1877 * 1.002);
        Assert.True(Of("pld_lower") <= Of("pld") && Of("pld") <= Of("rdp") && Of("epsilon") == Of("pld"));
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("exact").ValueKind);
        Assert.Equal("poisson", json.RootElement.GetProperty("events")[0].GetProperty("sampling").GetProperty("scheme").GetString());

        await using var fixedSize = ChildProcess.Chorus(shared.Folder, "account", "epsilon", "--noise", "2", "--cohort-size", "10", "--population", "1000", "--rounds", "100", "--delta", "1e-5");
        Assert.Equal(ExitCode.Done, await fixedSize.ExitAsync());
        Assert.Contains("10 of 1000 without replacement", fixedSize.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_table_When_answered_Then_the_rows_come_back_with_all_figures_and_what_they_had()
    {
        var file = Path.Combine(shared.Folder.Path, "table.json");
        File.WriteAllText(file, """{"rows": [{"q": 1, "noise_multiplier": 19.3, "steps": 20, "delta": 3e-6, "name": "popri"}, {"q": 0.1, "noise_multiplier": 2, "steps": 20, "delta": 3e-6}]}""");
        await using var chorus = ChildProcess.Chorus(shared.Folder, "account", "epsilon", "--table", file, "--json");
        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        using var json = JsonDocument.Parse(chorus.Output);
        var rows = json.RootElement.GetProperty("rows");
        Assert.Equal("popri", rows[0].GetProperty("name").GetString());
        Assert.Equal(0.919484725989773, rows[0].GetProperty("exact").GetDouble(), 1e-6);
        Assert.Equal(0.9195, rows[0].GetProperty("pld").GetDouble(), 1e-3);
        Assert.Equal(JsonValueKind.Null, rows[1].GetProperty("exact").ValueKind);
        Assert.Equal(1.178695, rows[1].GetProperty("pld").GetDouble(), 1e-3);
        Assert.True(rows[1].GetProperty("rdp").GetDouble() > rows[1].GetProperty("pld").GetDouble());

        File.WriteAllText(file, """{"rows": [{"q": 1, "noise_multiplier": 19.3, "steps": 20}]}""");
        await using var bad = ChildProcess.Chorus(shared.Folder, "account", "epsilon", "--table", file);
        Assert.Equal(ExitCode.BadInput, await bad.ExitAsync());
        Assert.Contains("row 1: delta must be a number", bad.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_written_history_When_asked_what_it_cost_Then_it_is_answered_and_a_folder_without_one_is_named()
    {
        var file = Path.Combine(shared.Folder.Path, "history.json");
        File.WriteAllText(file, """{"version": 1, "unit": "example", "adjacency": "replace-one", "events": [{"mechanism": "gaussian", "noise_multiplier": 38.6, "sampling": {"scheme": "full"}, "count": 20}]}""");
        await using var chorus = ChildProcess.Chorus(shared.Folder, "account", "history", file, "--delta", "3e-6");
        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        Assert.StartsWith("epsilon 0.91948", chorus.Output, StringComparison.Ordinal); // twice the noise for twice the distance
        Assert.Contains("unit: example; adjacency: replace one", chorus.Output, StringComparison.Ordinal);

        await using var none = ChildProcess.Chorus(shared.Folder, "account", "history", Path.Combine(shared.Folder.Path, "nowhere"));
        Assert.Equal(ExitCode.BadInput, await none.ExitAsync());
        Assert.Contains("holds no ledger", none.Errors, StringComparison.Ordinal);
    }
}
