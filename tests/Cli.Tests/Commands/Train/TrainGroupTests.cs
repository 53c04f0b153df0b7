using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Chorus.Cli.Tests.Support;
using Chorus.Simulation.Privacy;

namespace Chorus.Cli.Tests.Commands.Train;

/// <summary><c>chorus train</c> on several devices and in several processes, which may be killed.</summary>
[Collection(CliCollection.Name)]
public sealed partial class TrainGroupTests(CliFixture shared)
{
    private const int Steps = 20;
    private static readonly string[] Tiny =
        $"train --shape tiny --layers 1 --synthetic --examples 64 --seq 16 --batch 2 --logical-batch 8 --seed 5 --optimizer adamw --noise-multiplier 1.5 --save-every 3 --steps {Steps}".Split(' ');

    // A lost node is known in two seconds in place of ten.
    private const string Impatient = """
        akka.cluster.failure-detector { heartbeat-interval = 250ms, acceptable-heartbeat-pause = 1s, expected-response-after = 250ms }
        akka.cluster.split-brain-resolver.stable-after = 1s
        """;

    [Fact]
    public async Task Given_one_two_or_four_ranks_in_one_process_or_two_When_trained_Then_checkpoints_losses_and_charges_are_the_same()
    {
        var alone = await Run("--devices", "cpu");
        var two = await Run("--devices", "cpu,cpu");
        var four = await Run("--devices", "cpu,cpu,cpu,cpu");
        var apart = await InTwoProcesses(kill: null);
        foreach (var (_, folder) in new[] { two, four, apart })
        {
            AssertClose(alone.Folder, folder);
            Assert.Equal(Steps, Charged(folder));
        }
        // The same ranks are the same to the bit, wherever they are.
        Assert.Equal(File.ReadAllBytes(Weights(two.Folder)), File.ReadAllBytes(Weights(apart.Folder)));
        Assert.Equal(Losses(alone.Output), Losses(four.Output));
        Assert.Contains("2 ranks", two.Output, StringComparison.Ordinal);
        Assert.Contains("exposed communication", two.Output, StringComparison.Ordinal);
        Assert.Contains("memory a device: ", alone.Output, StringComparison.Ordinal);
        Assert.Equal(2, JsonDocument.Parse(File.ReadAllText(Path.Combine(apart.Folder, "result.json"))).RootElement.GetProperty("ranks").GetArrayLength());
    }

    [Theory]
    [InlineData("epoch 1: 2 ranks")] // before the first step, or in it
    [InlineData("step 5/")]
    public async Task Given_a_trainer_process_that_is_killed_When_the_other_goes_on_Then_losses_weights_and_charges_are_those_of_an_undisturbed_run(string kill)
    {
        var (output, folder) = await InTwoProcesses(kill);
        var (_, undisturbed) = await Run("--devices", "cpu");
        Assert.Contains("the group is broken", output, StringComparison.Ordinal);
        Assert.Contains("epoch 2: 1 ranks", output, StringComparison.Ordinal);
        AssertClose(undisturbed, folder);
        Assert.Equal(Steps, Charged(folder));
        // A step that was done twice has the same loss both times, and each step was done.
        var losses = StepLine().Matches(output).Select(m => (Step: int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture), Loss: m.Groups[2].Value)).ToArray();
        var expected = Losses(await File.ReadAllTextAsync(undisturbed + ".txt"));
        Assert.All(losses, l => Assert.Equal(expected[l.Step - 1], l.Loss));
        Assert.Equal(Enumerable.Range(1, Steps), losses.Select(l => l.Step).Distinct().Order());
    }

    [Fact]
    public async Task Given_the_process_of_all_ranks_that_is_killed_When_it_is_resumed_with_fewer_Then_it_ends_where_it_would_have()
    {
        var folder = shared.Folder.Fresh("train");
        await using (var chorus = ChildProcess.Chorus(shared.Folder, [.. Tiny, "--devices", "cpu,cpu", "--out", folder]))
        {
            await chorus.LineAsync("step 7/");
            chorus.Kill();
            await chorus.ExitAsync();
        }
        Assert.False(File.Exists(Path.Combine(folder, "result.json")));
        await using var resumed = ChildProcess.Chorus(shared.Folder, [.. Tiny, "--device", "cpu", "--out", folder, "--resume"]);
        Assert.True(await resumed.ExitAsync() == ExitCode.Done, resumed.Errors);
        Assert.DoesNotContain("step 3/", resumed.Output, StringComparison.Ordinal);
        var (_, undisturbed) = await Run("--devices", "cpu");
        AssertClose(undisturbed, folder);
        Assert.Equal(Steps, Charged(folder));
    }

    [Theory]
    [InlineData("--devices cpu,gpu", "device must be auto, cpu, cuda or cuda:N")]
    [InlineData("--devices cpu --device cpu", "give --device or --devices, not both")]
    [InlineData("--devices cpu,cpu --collective nccl", "--collective nccl needs a GPU of its own")]
    [InlineData("--nodes 0", "--nodes must be in [1, 1000], got 0")]
    [InlineData("--shape llama-13b --devices cpu,cpu --batch 100000", "needs")]
    public async Task Given_devices_that_do_not_fit_When_asked_for_Then_it_is_bad_input_and_nothing_is_written(string options, string part)
    {
        var folder = shared.Folder.Fresh("train");
        var given = options.Split(' ');
        var line = Tiny.ToList();
        foreach (var name in given.Where(o => o.StartsWith("--", StringComparison.Ordinal) && line.Contains(o)).ToArray())
            line.RemoveRange(line.IndexOf(name), 2);
        if (options.Contains("13b", StringComparison.Ordinal))
            line.RemoveRange(line.IndexOf("--layers"), 2);
        await using var chorus = ChildProcess.Chorus(shared.Folder, [.. line, .. given, "--out", folder]);
        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains(part, chorus.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
    }

    private async Task<(string Output, string Folder)> Run(params string[] options)
    {
        var folder = shared.Folder.Fresh("train");
        await using var chorus = ChildProcess.Chorus(shared.Folder, [.. Tiny, .. options, "--out", folder]);
        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);
        await File.WriteAllTextAsync(folder + ".txt", chorus.Output);
        return (chorus.Output, folder);
    }

    // A leader with rank 0, and a node with rank 1 that is killed once the leader has said something.
    private async Task<(string Output, string Folder)> InTwoProcesses(string? kill)
    {
        var (folder, akka) = (shared.Folder.Fresh("train"), shared.Folder.Fresh("akka") + ".conf");
        await File.WriteAllTextAsync(akka, Impatient);
        await using var leader = ChildProcess.Chorus(shared.Folder, [.. Tiny, "--device", "cpu", "--nodes", "2", "--akka", akka, "--out", folder]);
        var seed = (await leader.LineAsync("--seed-node")).Split(' ')[^1];
        await using var node = ChildProcess.Chorus(shared.Folder, "node", "--roles", "trainer", "--devices", "cpu", "--seed-node", seed, "--akka", akka);
        if (kill is not null)
        {
            await leader.LineAsync(kill);
            node.Kill();
        }
        Assert.True(await leader.ExitAsync() == ExitCode.Done, leader.Errors);
        return (leader.Output, folder);
    }

    private static string Weights(string folder) => Path.Combine(folder, "checkpoint", "model.safetensors");

    private static int Charged(string folder) => PrivacyHistory.FromJson(File.ReadAllText(Path.Combine(folder, "privacy.json"))).Releases;

    private static string[] Losses(string output) => [.. StepLine().Matches(output).Select(m => m.Groups[2].Value)];

    // Relative to all weights' norm.
    private static void AssertClose(string expected, string actual)
    {
        var (a, b) = (Values(Weights(expected)), Values(Weights(actual)));
        Assert.Equal(a.Length, b.Length);
        double error = Math.Sqrt(a.Zip(b, (x, y) => (x, y)).Sum(p => Math.Pow((double)p.x - p.y, 2))), norm = Math.Sqrt(a.Sum(x => (double)x * x));
        Assert.True(error <= 1e-6 * norm, $"off by {error / norm}");
    }

    // All float32 values of a file, in its order.
    private static float[] Values(string file)
    {
        var bytes = File.ReadAllBytes(file);
        return MemoryMarshal.Cast<byte, float>(bytes.AsSpan(8 + (int)BitConverter.ToInt64(bytes))).ToArray();
    }

    [GeneratedRegex(@"^step (\d+)/\d+  loss (\S+)", RegexOptions.Multiline)]
    private static partial Regex StepLine();
}
