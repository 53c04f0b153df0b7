using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests;

/// <summary>run-cluster.sh, with the chorus of this test's own folder in place of a build.</summary>
[Collection(CliCollection.Name)]
public sealed class RunClusterScriptTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_help_is_asked_for_When_it_is_shown_Then_it_ends_in_examples_and_exit_codes()
    {
        await using var script = Script("--help");

        Assert.Equal(0, await script.ExitAsync());
        Assert.Contains("Examples", script.Output, StringComparison.Ordinal);
        Assert.Contains("Exit codes", script.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--bogus", "--bogus")]
    [InlineData("--nodes 0", "--nodes")]
    [InlineData("--port 70000", "--port")]
    [InlineData("--rounds", "--rounds")]
    [InlineData("--hosts onlyone", "--hosts")]
    public async Task Given_a_wrong_option_When_the_script_is_run_Then_it_is_named_and_the_code_is_2(string options, string said)
    {
        await using var script = Script(options.Split(' '));

        Assert.Equal(ExitCode.BadInput, await script.ExitAsync());
        Assert.Contains(said, script.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_hosts_When_the_script_is_run_Then_it_prints_what_each_machine_needs()
    {
        await using var script = Script("--hosts", "10.0.0.1,10.0.0.2,10.0.0.3", "--rounds", "3");

        Assert.Equal(0, await script.ExitAsync());
        Assert.Contains("simulate --nodes 3 --host 10.0.0.1 --port 4053 --rounds 3", script.Output, StringComparison.Ordinal);
        Assert.Contains("node --roles client --host 10.0.0.2 --port 4053 --seed-node 10.0.0.1:4053", script.Output, StringComparison.Ordinal);
        Assert.Contains("node --roles client --host 10.0.0.3 --port 4053 --seed-node 10.0.0.1:4053", script.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--dashboard --rounds 3", "--dashboard --rounds 3")]
    [InlineData("--dashboard 8099 --rounds 3", "--dashboard 8099 --rounds 3")]
    [InlineData("--rounds 3 --dashboard", "--rounds 3 --dashboard")]
    [InlineData("--dashboard=8099 --dashboard-host 10.0.0.1", "--dashboard 8099 --dashboard-host 10.0.0.1")]
    public async Task Given_a_page_is_asked_for_When_the_script_is_run_Then_the_simulation_gets_it(string options, string handed)
    {
        await using var script = Script(["--hosts", "10.0.0.1,10.0.0.2", .. options.Split(' ')]);

        Assert.Equal(0, await script.ExitAsync());
        Assert.Contains($"simulate --nodes 2 --host 10.0.0.1 --port 4053 {handed}\n", script.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_hosts_and_a_training_When_the_script_is_run_Then_the_others_are_its_trainers()
    {
        await using var script = Script("--hosts", "10.0.0.1,10.0.0.2", "--train", "--shape", "tiny", "--devices", "cuda:0,cuda:1", "--rounds");

        Assert.Equal(0, await script.ExitAsync());
        Assert.Contains("train --nodes 2 --host 10.0.0.1 --port 4053 --shape tiny --devices cuda:0\\,cuda:1 --rounds", script.Output, StringComparison.Ordinal);
        Assert.Contains("node --roles trainer --devices cuda:0,cuda:1 --host 10.0.0.2 --port 4053 --seed-node 10.0.0.1:4053", script.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_training_in_two_processes_When_it_is_done_Then_nothing_that_was_started_is_left()
    {
        var output = _folder.Fresh("script");
        await using var script = Script(
            "--no-build", "--nodes", "2", "--train", "--shape", "tiny", "--layers", "1", "--synthetic", "--examples", "16", "--seq", "8", "--batch", "2", "--noise-multiplier", "1", "--steps", "2", "--device", "cpu",
            "--out", output);

        Assert.True(await script.ExitAsync() == 0, script.Output + script.Errors);
        Assert.Contains("epoch 1: 2 ranks", script.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(output, "checkpoint", "model.safetensors")));
        Assert.Empty(Started());
    }

    [Fact]
    public async Task Given_a_cluster_of_three_When_the_run_is_done_Then_nothing_that_was_started_is_left()
    {
        var output = _folder.Fresh("script");
        await using var script = Script("--no-build", "--run", _folder.TinyRun, "--out", output, "--rounds", "1");

        var code = await script.ExitAsync();

        Assert.True(code == 0, script.Output + script.Errors);
        Assert.Contains($"report: {output}", script.Output, StringComparison.Ordinal);
        Assert.Equal(3, RunResultView.Of(output).Root.GetProperty("nodes").GetInt32());
        Assert.Empty(Started());
        Assert.Empty(Directory.GetDirectories(_folder.Temporary, "chorus-cluster.*"));
    }

    [Fact]
    public async Task Given_a_cluster_at_work_When_the_script_is_ended_Then_so_is_all_that_it_started()
    {
        var output = _folder.Fresh("script");
        await using var script = Script("--no-build", "--run", _folder.TinyRun, "--out", output, "--set", "policy.pretraining.steps=1000000");
        await script.LineAsync("pretrain");
        Assert.Equal(3, Started().Length);

        await script.TerminateAsync();

        Assert.Equal(128 + 15, await script.ExitAsync(TimeSpan.FromSeconds(30)));
        Assert.Empty(Started());
    }

    [Fact]
    public async Task Given_a_run_that_is_refused_When_the_script_ends_Then_it_has_the_commands_exit_code()
    {
        var output = _folder.Fresh("script");
        await using var script = Script("--no-build", "--run", _folder.TinyRun, "--out", output, "--epsilon", "0");

        Assert.Equal(ExitCode.BadInput, await script.ExitAsync());
        Assert.Contains("chorus.privacy.epsilon", script.Errors, StringComparison.Ordinal);
        Assert.Empty(Started());
    }

    private ChildProcess Script(params string[] arguments) => ChildProcess.Start(_folder, "bash", [Path.Combine(Root(), "run-cluster.sh"), .. arguments]);

    /// <summary>Processes of this test's chorus that are alive, from the process table.</summary>
    private static string[] Started()
    {
        var program = Path.Combine(AppContext.BaseDirectory, "chorus");
        return [.. Directory.GetDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])).Where(d =>
        {
            try
            {
                return File.ReadAllText(Path.Combine(d, "cmdline")).Split('\0')[0] == program;
            }
            catch (IOException)
            {
                return false; // it ended in the meantime
            }
        })];
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "run-cluster.sh")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"no run-cluster.sh above {AppContext.BaseDirectory}");
    }
}
