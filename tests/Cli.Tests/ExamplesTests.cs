using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests;

[Collection(CliCollection.Name)]
public sealed class ExamplesTests(CliFixture shared)
{
    [Theory]
    [InlineData("")]
    [InlineData("simulate")]
    [InlineData("node")]
    [InlineData("cluster")]
    [InlineData("cluster init")]
    [InlineData("cluster status")]
    [InlineData("cluster health")]
    [InlineData("report")]
    [InlineData("data")]
    [InlineData("data synthesize")]
    [InlineData("data import")]
    [InlineData("data partition")]
    [InlineData("data describe")]
    [InlineData("account")]
    [InlineData("account epsilon")]
    [InlineData("account noise")]
    [InlineData("audit")]
    [InlineData("model")]
    [InlineData("model info")]
    [InlineData("model logits")]
    [InlineData("model generate")]
    [InlineData("model tokenize")]
    [InlineData("model embed")]
    public async Task Given_any_command_When_help_is_asked_for_Then_it_ends_in_examples(string command)
    {
        await using var chorus = ChildProcess.Chorus(shared.Folder, [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        var lines = chorus.Output.TrimEnd().Split(Environment.NewLine);
        Assert.StartsWith($"  chorus {command}".TrimEnd(), lines[^1], StringComparison.Ordinal);
        Assert.Contains("Examples:", lines);
    }
}
