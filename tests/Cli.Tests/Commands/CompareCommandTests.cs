using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands;

/// <summary>Real runs of every method, as small as they come, each a process that <c>chorus compare</c> starts.</summary>
[Collection(CliCollection.Name)]
public sealed class CompareCommandTests(CliFixture shared)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);
    private static readonly string[] Methods = ["popri", "popri-plus", "pe", "pe-sft", "dp-fedavg", "dp-ftrl", "dp-sgd"];

    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_every_method_When_compared_Then_each_cell_is_a_run_and_page_and_table_hold_them_and_nothing_is_run_twice()
    {
        var into = _folder.Fresh("comparison");
        string[] arguments =
        [
            "compare", "--run", _folder.TinyRun, "--methods", string.Join(',', [.. Methods, "untuned"]), "--epsilons", "4", "--seeds", "1", "--out", into,
            "--set", "dp-sgd.steps=3", "--set", "dp-sgd.batch=8", "--set", "dp-sgd.client-tokens=48", "--set", "federated.client-texts=2", "--set", "federated.bands=2",
        ];
        var (code, output, errors) = await RunAsync(arguments);
        Assert.True(code == ExitCode.Done, errors + Logs(into));
        Assert.Contains("10 runs, 0 of them done", output, StringComparison.Ordinal);

        string[] cells = ["public-seed11", "private-seed11", "untuned-seed11", .. Methods.Select(m => $"{m}-eps4-seed11")];
        Assert.All(cells, c => Assert.True(File.Exists(Path.Combine(into, "cells", c, "report.html")), c));
        var lines = File.ReadAllLines(Path.Combine(into, "comparison.csv"));
        Assert.Equal(11, lines.Length);
        var floors = lines[1..].Select(l => l.Split(',')[4]).Distinct().ToArray();
        Assert.Single(floors); // all arms begin at one floor
        Assert.All(Methods, m => Assert.Contains(lines, l => l.StartsWith($"{m},4,11,0.", StringComparison.Ordinal)));
        Assert.Contains(lines, l => l.StartsWith("untuned,,11,0.", StringComparison.Ordinal));
        var page = File.ReadAllText(Path.Combine(into, "comparison.html"));
        Assert.Contains($"chorus simulate --run {Path.Combine(into, "run.conf")} --seed 11 --set method=dp-ftrl --set privacy.epsilon=4", page, StringComparison.Ordinal);
        Assert.Contains("--seeds 11, --out", page, StringComparison.Ordinal); // "--seeds 11" would be eleven of them
        Assert.DoesNotContain("to come", page, StringComparison.Ordinal);

        var written = cells.ToDictionary(c => c, c => File.GetLastWriteTimeUtc(Path.Combine(into, "cells", c, "result.json")));
        File.Delete(Path.Combine(into, "cells", "pe-eps4-seed11", "result.json"));
        (code, output, errors) = await RunAsync(arguments);
        Assert.True(code == ExitCode.Done, errors + Logs(into));
        Assert.Contains("10 runs, 9 of them done", output, StringComparison.Ordinal);
        Assert.All(cells.Where(c => !c.StartsWith("pe-eps", StringComparison.Ordinal)), c => Assert.Equal(written[c], File.GetLastWriteTimeUtc(Path.Combine(into, "cells", c, "result.json"))));
        Assert.True(File.Exists(Path.Combine(into, "cells", "pe-eps4-seed11", "result.json")));

        (code, _, errors) = await RunAsync([.. arguments, "--set", "rounds=3"]);
        Assert.Equal(ExitCode.BadInput, code);
        Assert.Contains("holds a comparison with another chorus.rounds", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_cell_that_fails_When_compared_Then_the_others_go_on_and_it_is_named_with_its_reason()
    {
        var into = _folder.Fresh("comparison");
        var (code, _, errors) = await RunAsync(
            ["compare", "--run", _folder.TinyRun, "--methods", "dp-sgd", "--out", into, "--set", "dp-sgd.batch=41", "--jobs", "2"]);
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains("dp-sgd-eps4-seed11: exit code 2, chorus: chorus.dp-sgd.batch must be at most the number of clients, 40, got 41", errors, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(into, "cells", "private-seed11", "result.json")));
        Assert.Contains("1 run failed", File.ReadAllText(Path.Combine(into, "comparison.html")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--methods popri,pop", "there is no method \"pop\"; the methods are popri, popri-plus")]
    [InlineData("--methods ,", "--methods names none")]
    [InlineData("--epsilons 1,zero", "--epsilons takes numbers above 0 and inf, separated by commas, got \"zero\"")]
    [InlineData("--epsilons 0", "--epsilons takes numbers above 0 and inf")]
    [InlineData("--seeds none", "--seeds takes a number of seeds")]
    [InlineData("--seeds 0", "--seeds must be in [1, 1000], got 0")]
    [InlineData("--jobs 0", "--jobs must be in [1, 256], got 0")]
    [InlineData("--gpus 2 --device cpu", "policy.device = cpu would not use: let it be cuda")]
    [InlineData("--set rounds", "--set takes KEY=VALUE, got \"rounds\"")]
    public async Task Given_what_cannot_be_compared_When_started_Then_it_is_bad_input_and_nothing_is_written(string options, string expected)
    {
        var into = _folder.Fresh("comparison");
        var (code, _, errors) = await RunAsync(["compare", "--run", _folder.TinyRun, "--out", into, .. options.Split(' ')]);
        Assert.Equal(ExitCode.BadInput, code);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(into));
    }

    private async Task<(int Code, string Output, string Errors)> RunAsync(string[] arguments)
    {
        await using var chorus = ChildProcess.Chorus(_folder, arguments);
        return (await chorus.ExitAsync(Patience), chorus.Output, chorus.Errors);
    }

    private static string Logs(string folder) => string.Join('\n', Directory.GetFiles(Path.Combine(folder, "cells"), "*.log").Select(f => $"{f}:\n{File.ReadAllText(f)}"));
}
