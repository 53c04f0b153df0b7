using System.Text.Json;
using Chorus.Simulation.Data;
using Chorus.Simulation.Report;
using Chorus.Simulation.Tests.Data;

namespace Chorus.Simulation.Tests.Report;

public sealed class RunResultTests
{
    [Fact]
    public void Given_a_full_result_When_written_and_read_Then_nothing_is_lost()
    {
        RunResult result = Example.Result(diagnostics: true);
        RunResult read = RunResultFile.FromJson(RunResultFile.ToJson(result));
        Assert.Equal(RunResultFile.ToJson(result), RunResultFile.ToJson(read));
        Assert.Equal(ulong.MaxValue, read.Seed);
        Assert.Equal(result.Rounds.AsEnumerable(), read.Rounds);
        Assert.Equal(result.Privacy, read.Privacy);
        Assert.Equal(result.Samples.After.AsEnumerable(), read.Samples.After);
    }

    [Fact]
    public void Given_what_was_not_measured_When_written_and_read_Then_it_is_null()
    {
        RunResult result = Example.Result() with { Accuracy = new AccuracyResult(0.6, null, null), GapClosed = null, Final = null, Downstream = [], Rounds = [] };
        RunResult read = RunResultFile.FromJson(RunResultFile.ToJson(result));
        Assert.Equal(new AccuracyResult(0.6, null, null), read.Accuracy);
        Assert.Null(read.GapClosed);
        Assert.Null(read.Final);
        Assert.Empty(read.Rounds);
    }

    [Fact]
    public void Given_a_file_from_before_topics_When_read_Then_it_has_none_and_a_report()
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(RunResultFile.ToJson(Example.Result()))!;
        foreach (var arm in json["downstream"]!.AsArray())
            Assert.True(arm!.AsObject().Remove("topics"));
        RunResult read = RunResultFile.FromJson(json.ToJsonString());
        Assert.All(read.Downstream, d => Assert.Empty(d.Topics));
        Assert.DoesNotContain("by topic", HtmlReport.Render(read), StringComparison.Ordinal);
    }

    [Fact]
    public void Given_an_infinite_epsilon_When_written_and_read_Then_it_stays_infinite()
    {
        RunResult result = Example.Result() with { Privacy = Example.Result().Privacy with { Epsilon = double.PositiveInfinity, NoiseMultiplier = 0 } };
        Assert.Equal(double.PositiveInfinity, RunResultFile.FromJson(RunResultFile.ToJson(result)).Privacy.Epsilon);
    }

    /// <summary>Others read this file: a name that goes or changes is a new schema.</summary>
    [Fact]
    public void Given_schema_2_When_written_Then_its_names_are_the_recorded_ones()
    {
        using JsonDocument json = JsonDocument.Parse(RunResultFile.ToJson(Example.Result()));
        JsonElement root = json.RootElement;
        Assert.Equal("chorus.result/2", root.GetProperty("schema").GetString());
        Assert.Equal("schema run seed nodes clients data method accuracy gap_closed downstream rounds final texts cost privacy seconds samples diagnostics command settings versions", Names(root));
        Assert.Equal("name sha256", Names(root.GetProperty("data")));
        Assert.Equal("floor method ceiling", Names(root.GetProperty("accuracy")));
        Assert.Equal("arm epochs validation_accuracy test_accuracy tokens topics", Names(root.GetProperty("downstream")[0]));
        Assert.Equal("topic tokens accuracy", Names(root.GetProperty("downstream")[0].GetProperty("topics")[0]));
        Assert.Equal("mauve copied_words synthetic held_out", Names(root.GetProperty("texts")));
        Assert.Equal("compared distinct1 distinct2 distinct3 public_copies private_copies", Names(root.GetProperty("texts").GetProperty("synthetic")));
        Assert.Equal("share median_run longest_run", Names(root.GetProperty("texts").GetProperty("held_out").GetProperty("public_copies")));
        JsonElement round = root.GetProperty("rounds")[0];
        Assert.Equal("round clients_sampled clients_counted clients_sha256 zero_votes not_finite_votes turnout candidates candidates_sha256 release_sha256 fid mean_distance pairs pairs_kept_right dpo epsilon_so_far seconds", Names(round));
        Assert.Equal("steps first_loss last_loss reward_accuracy", Names(round.GetProperty("dpo")));
        Assert.Equal("generate feedback learn evaluate", Names(round.GetProperty("seconds")));
        Assert.Equal("fid mean_distance", Names(root.GetProperty("final")));
        Assert.Equal("bytes_to_client bytes_from_client client_seconds server_seconds", Names(root.GetProperty("cost")));
        Assert.Equal("unit adjacency epsilon delta budget noise_multiplier rounds reproducible_noise sampling ledger_epsilon statement", Names(root.GetProperty("privacy")));
        Assert.Equal("total phases", Names(root.GetProperty("seconds")));
        Assert.Equal("phase seconds", Names(root.GetProperty("seconds").GetProperty("phases")[0]));
        Assert.Equal("before after", Names(root.GetProperty("samples")));
        Assert.Equal("chorus dotnet akka torchsharp os processor_count", Names(root.GetProperty("versions")));
        static string Names(JsonElement e) => string.Join(' ', e.EnumerateObject().Select(p => p.Name));
    }

    [Theory]
    [InlineData("{\"schema\": \"chorus.result/2\"}", "a run's result")]
    [InlineData("nonsense", "a run's result")]
    [InlineData("null", "schema chorus.result/2")]
    public void Given_no_result_When_read_Then_says_what_was_expected(string json, string expected) =>
        Assert.Contains(expected, Assert.Throws<DataFormatException>(() => RunResultFile.FromJson(json, "r.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void Given_another_schema_When_read_Then_it_is_refused()
    {
        string json = RunResultFile.ToJson(Example.Result()).Replace("chorus.result/2", "chorus.result/3", StringComparison.Ordinal);
        Assert.EndsWith("found chorus.result/3", Assert.Throws<DataFormatException>(() => RunResultFile.FromJson(json)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_path_When_written_over_an_older_file_Then_only_the_new_one_is_there()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("result.json", "old");
        RunResultFile.Write(Example.Result(), path);
        Assert.Equal("demo", RunResultFile.Read(path).Run);
        Assert.Single(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Given_a_file_of_schema_1_When_read_Then_what_it_called_popri_is_the_methods_accuracy()
    {
        string old = RunResultFile.ToJson(Example.Result() with { Cost = null })
            .Replace("chorus.result/2", "chorus.result/1", StringComparison.Ordinal)
            .Replace("\"method\": 0.691", "\"popri\": 0.691", StringComparison.Ordinal);
        Assert.Equal(new AccuracyResult(0.652, 0.691, 0.731), RunResultFile.FromJson(old).Accuracy);
    }

    [Theory]
    [InlineData(0.6, 0.65, 0.7, 0.5)]
    [InlineData(0.6, 0.55, 0.7, -0.5)]
    [InlineData(0.6, 0.8, 0.7, 2.0)]
    [InlineData(0.7, 0.8, 0.7, null)]
    [InlineData(null, 0.8, 0.9, null)]
    public void Given_three_accuracies_When_the_share_is_taken_Then_it_is_the_part_of_the_gap(double? floor, double? method, double? ceiling, double? share)
    {
        double? got = RunResult.ShareOfGap(new AccuracyResult(floor, method, ceiling));
        Assert.Equal(share is null, got is null);
        if (share is { } s) Assert.Equal(s, got!.Value, 1e-12);
    }
}
