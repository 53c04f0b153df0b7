using System.Text.Json;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

[Collection(CliCollection.Name)]
public sealed class AuditCommandTests(CliFixture shared)
{
    [Fact]
    public async Task Given_a_small_audit_When_it_is_over_Then_claim_and_bounds_are_printed_and_written()
    {
        var folder = shared.Folder.Fresh("audit");
        await using var chorus = ChildProcess.Chorus(
            shared.Folder, "audit", "--epsilon", "4", "--delta", "1e-5", "--rounds", "5", "--canaries", "32", "--seed", "2", "--out", folder);

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        Assert.Contains("claim: one release costs epsilon 4 at delta 1E-05", chorus.Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("nothing was found against the claim", chorus.Output, StringComparison.Ordinal);
        Assert.Contains("--seed", chorus.Output, StringComparison.Ordinal);
        Assert.Equal(["audit.html", "audit.json"], Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).Order());
    }

    // At a confidence of nothing a bound is no bound: about every other true claim is 'refuted', with this seed among them.
    [Fact]
    public async Task Given_a_bound_above_the_claim_When_audited_as_json_Then_the_exit_code_says_so_and_the_output_is_json_alone()
    {
        var folder = shared.Folder.Fresh("refuted");
        await using var chorus = ChildProcess.Chorus(
            shared.Folder, "audit", "--epsilon", "4", "--delta", "1e-5", "--rounds", "5", "--canaries", "32", "--seed", "1", "--confidence", "1e-9",
            "--json", "--out", folder);

        Assert.Equal(ExitCode.ClaimRefuted, await chorus.ExitAsync());
        using var json = JsonDocument.Parse(chorus.Output);
        Assert.True(json.RootElement.GetProperty("refuted").GetBoolean());
        Assert.Equal((await File.ReadAllTextAsync(Path.Combine(folder, "audit.json"))).TrimEnd(), chorus.Output.TrimEnd());
    }
}
