using System.Text.Json;
using Chorus.Cli.Tests.Support;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Cli.Tests.Commands.Model;

[Collection(CliCollection.Name)]
public sealed class EmbedCommandTests(CliFixture shared)
{
    private const string Reference = "reference/checkpoints/minilm-st";

    [SharedFact(Reference)]
    public async Task Given_the_reference_encoder_When_its_texts_are_embedded_Then_the_file_holds_its_embeddings()
    {
        var checkpoint = SharedFolder.Find(Reference)!;
        using var json = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(checkpoint, "expected.json")));
        var texts = $"{shared.Folder.Fresh("texts")}.json";
        await File.WriteAllTextAsync(texts, json.RootElement.GetProperty("texts").GetRawText());
        var output = $"{shared.Folder.Fresh("embeddings")}.safetensors";

        await using var chorus = ChildProcess.Chorus(
            shared.Folder, "model", "embed", "--checkpoint", checkpoint, "--text-file", texts, "--output", output, "--device", "cpu");
        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);

        TorchRuntime.Prepare();
        using var expected = SafeTensors.Read(Path.Combine(checkpoint, "expected.safetensors"), torch.CPU)["embeddings"];
        using var actual = SafeTensors.Read(output, torch.CPU)["embeddings"];
        Assert.Equal(expected.shape, actual.shape);
        Assert.Equal(torch.ScalarType.Float32, actual.dtype);
        Assert.True((expected - actual).abs().max().item<float>() <= 1e-5);
    }

    [Fact]
    public async Task Given_no_checkpoint_at_the_path_When_embedded_Then_it_is_bad_input_and_names_the_path()
    {
        var texts = $"{shared.Folder.Fresh("texts")}.txt";
        await File.WriteAllTextAsync(texts, "a\n");
        await using var chorus = ChildProcess.Chorus(
            shared.Folder, "model", "embed", "--checkpoint", "nowhere", "--text-file", texts, "--output", "out.safetensors", "--device", "cpu");
        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains("nowhere: there is no such folder", chorus.Errors, StringComparison.Ordinal);
    }
}
