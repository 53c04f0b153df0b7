using System.Text.Json;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

[Collection(CliCollection.Name)]
public sealed class SimulateCommandTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_one_process_When_a_run_finishes_Then_its_folder_holds_what_is_promised()
    {
        var run = await shared.UndisturbedAsync();

        Assert.True(run.ExitCode == ExitCode.Done, run.Errors);
        Assert.Equal("", run.Errors);
        Assert.Contains($"report: {Path.Combine(run.Folder, "report.html")}", run.Output, StringComparison.Ordinal);
        string[] files =
        [
            "run.conf", "journal.db", "result.json", "report.html", "synthetic.json",
            "rounds/001/candidates.json", "rounds/001/release.json", "rounds/001/pairs.json", "rounds/001/metrics.json",
            "rounds/002/release.json", "policy/002/adapter_config.json", "policy/002/adapter_model.safetensors",
        ];
        Assert.All(files, file => Assert.True(File.Exists(Path.Combine(run.Folder, file)), file));
        Assert.Equal(20, JsonDocument.Parse(File.ReadAllText(Path.Combine(run.Folder, "synthetic.json"))).RootElement.GetArrayLength());
        Assert.Empty(Directory.GetFiles(run.Folder, "*.tmp", SearchOption.AllDirectories));
    }

    /// <summary>The share of the gap is what its three figures say, and null where there is no gap: a run so small may have none.</summary>
    private static void AssertGap(JsonElement accuracy, JsonElement gapClosed)
    {
        var (floor, popri, ceiling) = (Of("floor"), Of("method"), Of("ceiling"));
        if (ceiling > floor)
            Assert.Equal((popri - floor) / (ceiling - floor), gapClosed.GetDouble(), 9);
        else
            Assert.Equal(JsonValueKind.Null, gapClosed.ValueKind);

        double Of(string arm) => accuracy.GetProperty(arm).GetDouble();
    }

    /// <summary>The fields that the issue of the first whole run lists.</summary>
    [Fact]
    public async Task Given_a_finished_run_When_its_result_is_read_Then_every_promised_field_is_there()
    {
        var root = RunResultView.Of((await shared.UndisturbedAsync()).Folder).Root;

        Assert.Equal(11, root.GetProperty("seed").GetInt32());
        Assert.Equal(1, root.GetProperty("nodes").GetInt32());
        Assert.Equal(40, root.GetProperty("clients").GetInt32());
        Assert.NotEmpty(root.GetProperty("data").GetProperty("name").GetString()!);
        Assert.Matches("^[0-9a-f]{64}$", root.GetProperty("data").GetProperty("sha256").GetString());
        foreach (var arm in new[] { "floor", "method", "ceiling" })
            Assert.InRange(root.GetProperty("accuracy").GetProperty(arm).GetDouble(), 0, 1);
        AssertGap(root.GetProperty("accuracy"), root.GetProperty("gap_closed"));
        var rounds = root.GetProperty("rounds").EnumerateArray().ToArray();
        Assert.Equal([1, 2], rounds.Select(r => r.GetProperty("round").GetInt32()));
        Assert.All(rounds, round =>
        {
            Assert.Equal(40, round.GetProperty("clients_counted").GetInt32());
            Assert.Matches("^[0-9a-f]{64}$", round.GetProperty("release_sha256").GetString());
            Assert.True(round.GetProperty("fid").GetDouble() > 0);
            Assert.InRange(round.GetProperty("pairs_kept_right").GetDouble(), 0, 1);
            foreach (var phase in new[] { "generate", "feedback", "learn", "evaluate" })
                Assert.True(round.GetProperty("seconds").GetProperty(phase).GetDouble() >= 0);
        });
        var privacy = root.GetProperty("privacy");
        Assert.Equal("client", privacy.GetProperty("unit").GetString());
        Assert.Equal("add-or-remove-one", privacy.GetProperty("adjacency").GetString());
        Assert.InRange(privacy.GetProperty("epsilon").GetDouble(), 3.99, 4);
        Assert.Equal(1e-5, privacy.GetProperty("delta").GetDouble());
        Assert.Equal(4, privacy.GetProperty("budget").GetDouble());
        Assert.True(privacy.GetProperty("noise_multiplier").GetDouble() > 1);
        Assert.True(privacy.GetProperty("reproducible_noise").GetBoolean());
        Assert.NotEmpty(root.GetProperty("versions").EnumerateObject());
    }

    [Fact]
    public async Task Given_a_finished_run_When_its_report_is_written_anew_Then_it_is_the_same()
    {
        var run = await shared.UndisturbedAsync();
        var report = Path.Combine(run.Folder, "report.html");
        var before = await File.ReadAllTextAsync(report);

        await using var chorus = ChildProcess.Chorus(_folder, "report", run.Folder);

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        Assert.Equal(report, chorus.Output);
        Assert.Equal(before, await File.ReadAllTextAsync(report));
    }

    [Fact]
    public async Task Given_a_finished_run_When_it_is_resumed_Then_nothing_is_done_again()
    {
        var run = await shared.UndisturbedAsync();
        var written = File.GetLastWriteTimeUtc(Path.Combine(run.Folder, "result.json"));

        await using var chorus = ChildProcess.Chorus(_folder, "simulate", "--resume", "--out", run.Folder);

        Assert.Equal(ExitCode.Done, await chorus.ExitAsync());
        Assert.Contains("finished before", chorus.Output, StringComparison.Ordinal);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(run.Folder, "result.json")));
    }

    [Fact]
    public async Task Given_data_of_the_users_own_When_a_run_finishes_Then_all_its_clients_are_counted()
    {
        var data = _folder.Data();
        var output = _folder.Fresh("run");

        await using var chorus = ChildProcess.Chorus(
            _folder, "simulate", "--run", _folder.TinyRun, "--data", data, "--out", output, "--rounds", "1", "--epsilon", "7", "--seed", "5",
            "--set", "evaluation.downstream=off");

        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);
        var result = RunResultView.Of(output);
        Assert.Equal([2], result.ClientsCounted);
        Assert.Equal(Path.GetFileName(data), result.Root.GetProperty("data").GetProperty("name").GetString());
        Assert.Equal(JsonValueKind.Null, result.Root.GetProperty("rounds")[0].GetProperty("pairs_kept_right").ValueKind);
    }

    [Fact]
    public async Task Given_noise_too_low_for_the_rounds_When_a_run_is_asked_for_Then_the_budget_refuses_before_anything_is_computed()
    {
        var output = _folder.Fresh("run");

        await using var chorus = ChildProcess.Chorus(
            _folder, "simulate", "--run", _folder.TinyRun, "--out", output, "--epsilon", "1", "--set", "privacy.noise-multiplier=0.8");

        Assert.Equal(ExitCode.BudgetRefused, await chorus.ExitAsync());
        Assert.Contains("the budget refuses", chorus.Errors, StringComparison.Ordinal);
        Assert.Contains("chorus.privacy.epsilon is 1", chorus.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }

    [Fact]
    public async Task Given_a_run_at_work_When_it_is_asked_to_end_Then_it_does_within_seconds_and_can_be_resumed()
    {
        var output = _folder.Fresh("run");
        await using (var chorus = ChildProcess.Chorus(
            _folder, "simulate", "--run", _folder.TinyRun, "--out", output, "--set", "policy.pretraining.steps=1000000"))
        {
            await chorus.LineAsync("pretrain");
            await chorus.TerminateAsync();
            Assert.Equal(ExitCode.Failed, await chorus.ExitAsync(TimeSpan.FromSeconds(15)));
            Assert.Equal("chorus: stopped", chorus.Errors);
        }

        Assert.True(File.Exists(Path.Combine(output, "run.conf")));
        Assert.False(File.Exists(Path.Combine(output, "result.json")));
    }
}
