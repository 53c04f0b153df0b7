using System.Security.Cryptography;
using System.Text.Json;
using Chorus.Cli.Tests.Support;
using Chorus.Simulation.Privacy;

namespace Chorus.Cli.Tests.Commands.Train;

/// <summary><c>chorus train</c> as a process: files, resuming, bad input.</summary>
[Collection(CliCollection.Name)]
public sealed class TrainCommandTests(CliFixture shared)
{
    private const string Tiny = "train --shape tiny --layers 1 --synthetic --examples 64 --seq 16 --batch 4 --logical-batch 8 --device cpu --seed 5 --optimizer adamw";

    [Fact]
    public async Task Given_a_run_that_ended_early_When_it_is_resumed_Then_the_weights_are_bit_for_bit_those_of_one_run()
    {
        string whole = shared.Folder.Fresh("train"), parts = shared.Folder.Fresh("train");
        var output = await Run($"{Tiny} --noise-multiplier 1.5 --steps 6 --out {whole}");
        Assert.Contains("loss", output, StringComparison.Ordinal);
        Assert.Contains("tokens/s", output, StringComparison.Ordinal);
        Assert.Contains("epsilon", output, StringComparison.Ordinal);
        Assert.Contains("whoever knows it can take the noise away", output, StringComparison.Ordinal);
        await Run($"{Tiny} --noise-multiplier 1.5 --steps 2 --out {parts}");
        await Run($"{Tiny} --noise-multiplier 1.5 --steps 6 --out {parts} --resume");
        Assert.Equal(Hash(whole), Hash(parts));

        var history = PrivacyHistory.FromJson(await File.ReadAllTextAsync(Path.Combine(parts, "privacy.json")));
        Assert.Equal(new PrivacyEvent(Mechanism.Gaussian, 1.5, new PoissonSampling(0.125), 6), Assert.Single(history.Events));
        var account = await Run($"account history {Path.Combine(parts, "privacy.json")} --delta 1e-5 --json");
        using var result = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(parts, "result.json")));
        using var accounted = JsonDocument.Parse(account);
        Assert.Equal(6, result.RootElement.GetProperty("steps").GetInt32());
        Assert.True(result.RootElement.GetProperty("tokens_per_second").GetDouble() > 0);
        Assert.True(result.RootElement.GetProperty("peak_memory_bytes").GetInt64() > 0);
        Assert.True(result.RootElement.GetProperty("reproducible_noise").GetBoolean());
        Assert.Equal(accounted.RootElement.GetProperty("epsilon").GetDouble(), result.RootElement.GetProperty("epsilon").GetDouble(), 9);
    }

    [Theory]
    [InlineData("--dp none", "no privacy")]
    [InlineData("--dp ghost --clipping flat --epsilon 3", "dp Ghost")]
    [InlineData("--dp explicit --clipping auto-s --noise-multiplier 1 --lora-rank 2", "dp Explicit")]
    [InlineData("--dp bookkeeping --noise-multiplier 1 --train linear --dtype bfloat16 --sampling fixed", "dp BookKeeping")]
    public async Task Given_each_method_When_it_trains_Then_it_leaves_a_checkpoint(string options, string part)
    {
        var folder = shared.Folder.Fresh("train");
        Assert.Contains(part, await Run($"{Tiny} --steps 2 --out {folder} {options}"), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(folder, "checkpoint", "model.safetensors")) || File.Exists(Path.Combine(folder, "adapter", "adapter_model.safetensors")));
        Assert.Equal(!options.Contains("none", StringComparison.Ordinal), File.Exists(Path.Combine(folder, "privacy.json")));
    }

    [Fact]
    public async Task Given_texts_When_trained_on_without_a_seed_Then_two_runs_differ()
    {
        var texts = shared.Folder.Fresh("texts") + ".txt";
        await File.WriteAllLinesAsync(texts, Enumerable.Range(0, 20).Select(i => $"the quick brown fox jumps {i} times"));
        string one = shared.Folder.Fresh("train"), two = shared.Folder.Fresh("train");
        foreach (var folder in new[] { one, two })
            await Run($"train --shape tiny --layers 1 --data {texts} --seq 16 --batch 4 --noise-multiplier 1 --steps 2 --device cpu --out {folder}");
        Assert.NotEqual(Hash(one), Hash(two));
    }

    [Theory]
    [InlineData("--noise-multiplier 1 --epsilon 2", "give the noise by one of")]
    [InlineData("", "give the noise by one of")]
    [InlineData("--dp none --epsilon 2", "trains without privacy")]
    [InlineData("--dp ghost --noise-multiplier 1", "clipping must be Flat")]
    [InlineData("--noise-multiplier 1 --logical-batch 65", "at most the number of examples, 64, got 65")]
    [InlineData("--noise-multiplier 1 --seq 600", "at most the model's 512, got 600")]
    [InlineData("--noise-multiplier 1 --clip 0", "clipping threshold must be")]
    [InlineData("--noise-multiplier 1 --resume", "holds no state.safetensors")]
    [InlineData("--noise-multiplier 1 --checkpoint nowhere", "one of --checkpoint and --shape")]
    [InlineData("--noise-multiplier 1 --data nowhere", "one of --data and --synthetic")]
    public async Task Given_what_does_not_fit_When_asked_for_Then_it_is_bad_input_and_says_what(string options, string part)
    {
        var folder = shared.Folder.Fresh("train");
        var line = Tiny.Split(' ').Concat(options.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        foreach (var twice in line.Where(o => o.StartsWith("--", StringComparison.Ordinal)).GroupBy(o => o).Where(g => g.Count() > 1).Select(g => g.Key).ToArray())
            line.RemoveRange(line.IndexOf(twice), 2);
        await using var chorus = ChildProcess.Chorus(shared.Folder, [.. line, "--out", folder]);
        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains(part, chorus.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(folder, "state.safetensors")));
    }

    private async Task<string> Run(string line)
    {
        await using var chorus = ChildProcess.Chorus(shared.Folder, line.Split(' '));
        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);
        return chorus.Output;
    }

    private static string Hash(string folder) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, "checkpoint", "model.safetensors"))));
}
