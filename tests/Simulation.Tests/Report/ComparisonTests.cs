using System.Xml.Linq;
using Chorus.Simulation.Report;

namespace Chorus.Simulation.Tests.Report;

public class ComparisonTests
{
    [Fact]
    public void Given_runs_of_two_seeds_When_compared_Then_gaps_are_those_of_each_seed_and_the_mean_is_over_seeds()
    {
        var comparison = new Comparison(Cells());
        var popri = comparison.Rows.Single(r => r is { Method: "popri", Epsilon: 1 });
        // Seed 1: 0.60 to 0.70, popri 0.65: half of the gap. Seed 2: 0.62 to 0.70, popri 0.64: a quarter.
        Assert.Equal(0.375, popri.GapClosed!.Mean, 1e-12);
        // Student's, two values 0.25 apart: 12.7062 * 0.125.
        Assert.Equal(12.7062 * 0.125, popri.GapClosed.HalfWidth!.Value, 1e-4);
        Assert.Null(popri.Ahead);
        var pe = comparison.Rows.Single(r => r is { Method: "pe", Epsilon: 1 });
        Assert.Equal(-0.25, pe.Ahead!.Mean, 1e-12); // 0.25 and 0 against 0.5 and 0.25: the same in both seeds
        Assert.Equal(0, pe.Ahead.HalfWidth!.Value, 1e-9);
        Assert.Equal(["popri", "pe", "pe"], comparison.Rows.Select(r => r.Method));
        Assert.Equal(27_648_000, popri.Cost!.BytesToClient);
    }

    [Fact]
    public void Given_a_seed_without_a_ceiling_When_compared_Then_its_gap_is_unknown_and_its_accuracy_counts()
    {
        var comparison = new Comparison([.. Cells().Where(c => !(c.Method == "private" && c.Seed == 2))]);
        var popri = comparison.Rows.Single(r => r.Method == "popri");
        Assert.Equal((2, 1), (popri.Accuracy!.Seeds, popri.GapClosed!.Seeds));
        Assert.Null(popri.GapClosed.HalfWidth);
    }

    [Fact]
    public void Given_runs_that_are_not_done_or_failed_When_rendered_Then_the_page_says_so_and_is_whole()
    {
        ComparisonCell[] cells =
        [
            .. Cells(), new("pe-sft", 1, 1, "chorus simulate ...", null), new("dp-sgd", double.PositiveInfinity, 1, "chorus <simulate>", null, "exit code 1, it & it broke"),
        ];
        string page = ComparisonReport.Render(new Comparison(cells), "demo", "chorus compare");
        Assert.Contains("1 run of 11 to come", page, StringComparison.Ordinal);
        Assert.Contains("DP-SGD, ε ∞, seed 1: exit code 1, it &amp; it broke", page, StringComparison.Ordinal);
        Assert.Contains("chorus &lt;simulate&gt;", page, StringComparison.Ordinal);
        Assert.Contains("closes the largest share of the gap at ε = 1: 38% &#177; 159%", page, StringComparison.Ordinal);
        XDocument.Parse(page.Replace("<!doctype html>", "", StringComparison.Ordinal).Replace("<meta charset=\"utf-8\">", "", StringComparison.Ordinal)
            .Replace("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">", "", StringComparison.Ordinal)
            .Replace("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">", "", StringComparison.Ordinal));
        Assert.DoesNotMatch(@"url\((?!#chart-)", page);
    }

    [Fact]
    public void Given_nothing_done_yet_When_rendered_Then_there_is_a_page_all_the_same()
    {
        string page = ComparisonReport.Render(new Comparison([new("public", null, 1, "c", null), new("popri", 1, 1, "c", null)]), "demo", "chorus compare");
        Assert.Contains("No accuracy was measured yet", page, StringComparison.Ordinal);
        Assert.Contains("2 runs of 2 to come", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_cells_When_written_as_a_table_Then_there_is_a_line_for_each_with_its_figures()
    {
        string[] lines = ComparisonReport.Csv(new Comparison(Cells())).TrimEnd('\n').Split('\n');
        Assert.Equal(10, lines.Length);
        Assert.StartsWith("method,epsilon,seed,accuracy,floor,ceiling,gap_closed,fid", lines[0], StringComparison.Ordinal);
        Assert.Contains("public,,1,0.6,0.6,0.7,,0.0912", lines[1], StringComparison.Ordinal);
        Assert.Contains("popri,1,2,0.64,0.62,0.7,0.25", lines[6], StringComparison.Ordinal);
        Assert.Contains("pe,Infinity,1,", lines[9], StringComparison.Ordinal);
        Assert.EndsWith("\"say \"\"hello\"\"\",", lines[9], StringComparison.Ordinal);
    }

    private static ComparisonCell[] Cells() =>
    [
        Cell("public", null, 1, 0.60, null), Cell("private", null, 1, 0.60, 0.70), Cell("public", null, 2, 0.62, null), Cell("private", null, 2, 0.62, 0.70),
        Cell("popri", 1, 1, 0.60, 0.65), Cell("popri", 1, 2, 0.62, 0.64), Cell("pe", 1, 1, 0.60, 0.625), Cell("pe", 1, 2, 0.62, 0.62),
        Cell("pe", double.PositiveInfinity, 1, 0.60, 0.63) with { Command = "say \"hello\"" },
    ];

    private static ComparisonCell Cell(string method, double? epsilon, ulong seed, double floor, double? accuracy) =>
        new(method, epsilon, seed, "chorus simulate", Example.Result() with { Method = method, Accuracy = new AccuracyResult(floor, accuracy, null) });
}
