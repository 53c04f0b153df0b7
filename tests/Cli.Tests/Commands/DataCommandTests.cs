using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

[Collection(CliCollection.Name)]
public sealed class DataCommandTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Theory]
    [InlineData("congress")]
    [InlineData("biorxiv")]
    public async Task Given_one_seed_When_a_corpus_is_synthesised_twice_Then_its_bytes_are_the_same(string flavour)
    {
        var (first, second) = (await SynthesizeAsync(flavour, 3), await SynthesizeAsync(flavour, 3));
        var other = await SynthesizeAsync(flavour, 4);

        foreach (var file in new[] { "train_clients.json", "eval.json", "initial_set.json" })
        {
            var bytes = await File.ReadAllBytesAsync(Path.Combine(first, file));
            Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(second, file)));
            Assert.NotEqual(bytes, await File.ReadAllBytesAsync(Path.Combine(other, file)));
        }
    }

    [Fact]
    public async Task Given_a_data_folder_When_it_is_described_Then_clients_and_texts_are_counted()
    {
        await using var chorus = ChildProcess.Chorus(_folder, "data", "describe", _folder.Data());

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        Assert.Matches(@"clients +2, 0 of them without a text", chorus.Output);
        Assert.Matches(@"texts +3 private, 12 held out, 12 public", chorus.Output);
    }

    private async Task<string> SynthesizeAsync(string flavour, int seed)
    {
        var output = _folder.Fresh(flavour);
        await using var chorus = ChildProcess.Chorus(
            _folder, "data", "synthesize", "--flavour", flavour, "--clients", "20", "--initial-texts", "30", "--eval-clients", "10",
            "--seed", $"{seed}", "--out", output);
        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);
        Assert.EndsWith(output, chorus.Output, StringComparison.Ordinal);
        return output;
    }
}
