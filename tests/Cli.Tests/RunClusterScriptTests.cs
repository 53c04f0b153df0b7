using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
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
    [InlineData("--hosts one,two --nodes 1", "--nodes 1 is fewer than the 2 machines")]
    [InlineData("--monitor 70000", "--monitor")]
    [InlineData("--monitor --train --shape tiny", "--monitor and --otlp")]
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

    [Fact]
    public async Task Given_more_processes_than_hosts_and_certificates_When_the_script_is_run_Then_each_has_its_own_ports_and_its_hosts_certificate()
    {
        await using var script = Script("--hosts", "10.0.0.1,10.0.0.2", "--nodes", "3", "--tls", "/etc/chorus/tls", "--monitor", "--otlp", "http://10.0.0.9:4318", "--rounds", "3");

        Assert.Equal(0, await script.ExitAsync());
        Assert.Contains("cluster init --out /etc/chorus/tls --hosts 10.0.0.1,10.0.0.2", script.Output, StringComparison.Ordinal);
        Assert.Contains("open ports 4053 to 4054", script.Output, StringComparison.Ordinal);
        foreach (var command in new[]
        {
            "simulate --nodes 3 --host 10.0.0.1 --port 4053 --tls /etc/chorus/tls/10.0.0.1 --monitor 9464 --monitor-host 10.0.0.1 --otlp http://10.0.0.9:4318 --rounds 3",
            "node --roles client --host 10.0.0.2 --port 4053 --seed-node 10.0.0.1:4053 --tls /etc/chorus/tls/10.0.0.2 --monitor 9464 --monitor-host 10.0.0.2",
            "node --roles client --host 10.0.0.1 --port 4054 --seed-node 10.0.0.1:4053 --tls /etc/chorus/tls/10.0.0.1 --monitor 9465 --monitor-host 10.0.0.1",
        })
            Assert.Contains(command, script.Output, StringComparison.Ordinal);
    }

    // An ssh that runs all on this machine, whose loopback has many addresses; what would be copied is there.
    [Fact]
    public async Task Given_hosts_over_ssh_with_certificates_When_the_run_is_done_Then_every_process_was_of_the_cluster_and_none_is_left()
    {
        var (bin, output, tls) = (_folder.Fresh("bin"), _folder.Fresh("script"), _folder.Fresh("tls"));
        Directory.CreateDirectory(bin);
        var ssh = Path.Combine(bin, "ssh");
        await File.WriteAllTextAsync(ssh, """
            #!/usr/bin/env bash
            while [[ "$1" = -* ]]; do [ "$1" = -o ] && shift; shift; done
            case "$2" in *tar*) cat >/dev/null; echo "copied to $1" >>"${0%/*}/copied" ;; *) exec bash -c "$2" ;; esac
            """);
        using (var chmod = Process.Start("chmod", ["+x", ssh]))
            await chmod.WaitForExitAsync();
        await using var script = ChildProcess.Start(
            _folder, "env", $"PATH={bin}:{Environment.GetEnvironmentVariable("PATH")}", "bash", ScriptFile, "--no-build", "--hosts", "127.0.0.1,127.0.0.2", "--nodes", "3", "--ssh", "--tls", tls,
            "--port", $"{FreePort()}", "--run", _folder.TinyRun, "--out", output, "--rounds", "1");

        Assert.True(await script.ExitAsync() == 0, script.Output + script.Errors);
        Assert.Equal(3, RunResultView.Of(output).Root.GetProperty("nodes").GetInt32());
        Assert.Equal(["copied to 127.0.0.1", "copied to 127.0.0.2"], await File.ReadAllLinesAsync(Path.Combine(bin, "copied")));
        Assert.Equal(["127.0.0.1", "127.0.0.2", "authority"], Directory.GetDirectories(tls).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Empty(Started());
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

    private ChildProcess Script(params string[] arguments) => ChildProcess.Start(_folder, "bash", [ScriptFile, .. arguments]);

    private static string ScriptFile => Path.Combine(Root(), "run-cluster.sh");

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

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
