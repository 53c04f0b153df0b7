using System.Text.Json;
using Chorus.Cli.Tests.Support;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Cli.Tests.Commands.Model;

/// <summary><c>chorus model info</c>, <c>logits</c> and <c>generate</c> on the reference checkpoints.</summary>
[Collection(CliCollection.Name)]
public sealed class CausalModelCommandTests(CliFixture shared)
{
    private const string Reference = "reference/checkpoints";

    [SharedTheory(Reference)]
    [InlineData("llama", null)]
    [InlineData("llama", "lora")]
    [InlineData("llama-bf16", null)]
    [InlineData("gpt2", null)]
    public async Task Given_a_reference_checkpoint_When_its_logits_are_written_Then_they_are_transformers(string name, string? adapter)
    {
        var checkpoint = Path.Combine(SharedFolder.Find(Reference)!, name);
        var from = adapter is null ? checkpoint : Path.Combine(checkpoint, adapter);
        var output = $"{shared.Folder.Fresh("logits")}.safetensors";
        string[] arguments = ["model", "logits", "--checkpoint", checkpoint, "--input", Path.Combine(from, "expected.safetensors"), "--output", output, "--device", "cpu"];
        await using var chorus = ChildProcess.Chorus(shared.Folder, adapter is null ? arguments : [.. arguments, "--adapter", from]);
        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);

        TorchRuntime.Prepare();
        using var expected = SafeTensors.Read(Path.Combine(from, "expected.safetensors"), torch.CPU)["logits"];
        using var actual = SafeTensors.Read(output, torch.CPU)["logits"];
        Assert.Equal(expected.shape, actual.shape);
        Assert.Equal(torch.ScalarType.Float32, actual.dtype);
        Assert.True((expected - actual).abs().max().item<float>() <= 2e-4);
    }

    [SharedFact(Reference)]
    public async Task Given_the_reference_checkpoint_When_described_Then_shape_and_adapter_are_told()
    {
        var checkpoint = Path.Combine(SharedFolder.Find(Reference)!, "llama");
        await using var chorus = ChildProcess.Chorus(shared.Folder, "model", "info", "--checkpoint", checkpoint, "--adapter", Path.Combine(checkpoint, "lora"));
        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);
        Assert.Contains("4 of size 16, 2 for keys and values", chorus.Output, StringComparison.Ordinal);
        Assert.Contains("937,728 bytes in 30 tensors", chorus.Output, StringComparison.Ordinal);
        Assert.Contains("LoRA of rank 4, scale 2,", chorus.Output, StringComparison.Ordinal);
    }

    [SharedFact(Reference)]
    public async Task Given_prompts_and_a_seed_When_texts_are_generated_Then_they_repeat_whatever_the_batch_size()
    {
        var checkpoint = Path.Combine(SharedFolder.Find(Reference)!, "gpt2");
        string[] arguments = ["model", "generate", "--checkpoint", checkpoint, "--prompt", "Hello there", "--prompt", "", "--samples", "3", "--max-new-tokens", "12", "--json", "--device", "cpu"];
        await using var one = ChildProcess.Chorus(shared.Folder, [.. arguments, "--seed", "3", "--batch-size", "1"]);
        await using var six = ChildProcess.Chorus(shared.Folder, [.. arguments, "--seed", "3", "--batch-size", "6"]);
        Assert.True(await one.ExitAsync() == ExitCode.Done, one.Errors);
        Assert.True(await six.ExitAsync() == ExitCode.Done, six.Errors);
        Assert.Equal(one.Output, six.Output);
        using var json = JsonDocument.Parse(one.Output);
        Assert.Equal([0, 0, 0, 1, 1, 1], json.RootElement.EnumerateArray().Select(c => c.GetProperty("prompt").GetInt32()));
        Assert.Equal(6, json.RootElement.EnumerateArray().Select(c => c.GetProperty("text").GetString()).Distinct().Count());
        Assert.All(json.RootElement.EnumerateArray(), c => Assert.InRange(c.GetProperty("tokens").GetArrayLength(), 1, 12));
    }

    [SharedTheory(Reference)]
    [InlineData("model info --checkpoint nowhere", "nowhere holds no config.json")]
    [InlineData("model generate --checkpoint {gpt2}", "--prompt or --prompt-file")]
    [InlineData("model generate --checkpoint {gpt2} --prompt x --top-p 2", "--top-p must be in (0, 1], got 2")]
    [InlineData("model generate --checkpoint {gpt2} --prompt x --max-new-tokens 500", "at most MaxLength - MaxNewTokens")]
    [InlineData("model generate --checkpoint {gpt2} --prompt x --adapter {llama}/lora", "name no layer of this gpt2 model")]
    [InlineData("model generate --checkpoint {minilm-st} --prompt x", "model_type must be llama or gpt2, found bert")]
    [InlineData("model logits --checkpoint {gpt2} --input {gpt2}/model.safetensors --output x", "must hold the tensor input_ids")]
    [InlineData("model logits --checkpoint {gpt2} --input {llama}/expected.safetensors --output x", "must be in [0, 600)")]
    [InlineData("model logits --checkpoint {gpt2} --input nowhere --output x", "nowhere")]
    public async Task Given_what_does_not_fit_When_asked_for_Then_it_is_bad_input_and_says_what(string line, string part)
    {
        var folder = SharedFolder.Find(Reference)!;
        var arguments = line.Split(' ').Select(a => a.StartsWith('{') ? Path.Combine([folder, .. a.Replace("{", "", StringComparison.Ordinal).Split('}', '/').Where(s => s.Length > 0)]) : a);
        await using var chorus = ChildProcess.Chorus(shared.Folder, [.. arguments]);
        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains(part, chorus.Errors, StringComparison.Ordinal);
    }
}
