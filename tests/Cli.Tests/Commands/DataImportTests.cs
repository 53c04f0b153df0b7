using System.Text.Json;
using Chorus.Cli.Tests.Support;
using Parquet;
using Parquet.Schema;

namespace Chorus.Cli.Tests.Commands;

[Collection(CliCollection.Name)]
public sealed class DataImportTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_the_hubs_parquet_files_When_imported_divided_and_described_Then_each_step_says_what_it_made()
    {
        var hub = _folder.Fresh("hub");
        Directory.CreateDirectory(Path.Combine(hub, "data"));
        await WriteAsync(Path.Combine(hub, "data", "train-00001-of-00002.parquet"), 30, 60);
        await WriteAsync(Path.Combine(hub, "data", "train-00000-of-00002.parquet"), 0, 30);
        var (corpus, divided, page) = (_folder.Fresh("corpus"), _folder.Fresh("divided"), _folder.Fresh("page") + ".html");

        await using var import = ChildProcess.Chorus(_folder, "data", "import", hub, "--initial-before", "2024-02-01", "--eval-share", "0.3", "--max-tokens", "12", "--out", corpus);
        Assert.True(await import.ExitAsync() == ExitCode.Done, import.Errors);
        Assert.Matches("columns +text data, client each row, date date_str, topic none, id none", import.Output);
        Assert.Matches("rows +60; left out: 0 without text", import.Output);
        Assert.Equal(2, JsonDocument.Parse(File.ReadAllText(Path.Combine(corpus, "train_clients.json"))).RootElement.EnumerateObject().First().Value.GetArrayLength());

        await using var partition = ChildProcess.Chorus(_folder, "data", "partition", corpus, "--by", "dirichlet", "--alpha", "0.2", "--texts", "4", "--topics", "3", "--out", divided);
        Assert.True(await partition.ExitAsync() == ExitCode.Done, partition.Errors);
        Assert.EndsWith(divided, partition.Output, StringComparison.Ordinal);

        await using var describe = ChildProcess.Chorus(_folder, "data", "describe", divided, "--html", page);
        Assert.True(await describe.ExitAsync() == ExitCode.Done, describe.Errors);
        Assert.Matches("texts a client +4 to 4", describe.Output);
        Assert.Matches("one topic +two texts of a client in ", describe.Output);
        Assert.StartsWith("<!doctype html>", File.ReadAllText(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_the_published_files_When_imported_Then_a_corpus_of_the_set_asked_for()
    {
        var published = _folder.Fresh("published");
        Directory.CreateDirectory(published);
        string[] twelve = [.. Enumerable.Range(0, 12).Select(i => $"text {i}")];
        File.WriteAllText(Path.Combine(published, "bioarxiv_train.json"), """{"0": ["one", "two"], "1": ["three"]}""");
        File.WriteAllText(Path.Combine(published, "congressional_train.json"), """{"0": ["four"]}""");
        foreach (var list in new[] { "bioarxiv_eval.json", "congressional_eval.json", "initial_set.json" })
            File.WriteAllText(Path.Combine(published, list), JsonSerializer.Serialize(twelve));
        var output = _folder.Fresh("corpus");

        await using var which = ChildProcess.Chorus(_folder, "data", "import", published, "--out", output);
        Assert.Equal(ExitCode.BadInput, await which.ExitAsync());
        Assert.Contains("holds the data sets bioarxiv, congressional: choose one by --set", which.Errors, StringComparison.Ordinal);
        await using var useless = ChildProcess.Chorus(_folder, "data", "import", published, "--set", "bioarxiv", "--max-tokens", "64", "--out", output);
        Assert.Equal(ExitCode.BadInput, await useless.ExitAsync());
        Assert.Contains("--max-tokens is for records", useless.Errors, StringComparison.Ordinal);
        await using var import = ChildProcess.Chorus(_folder, "data", "import", published, "--set", "bioarxiv", "--out", output);
        Assert.True(await import.ExitAsync() == ExitCode.Done, import.Errors);
        Assert.Matches("texts +3 private, 12 held out, 12 public", import.Output);
    }

    public static TheoryData<string, string[], string> BadInput => new()
    {
        { "a date that is none", ["import", "x.parquet", "--since", "yesterday", "--out", "OUT"], "as a date such as 2024-03-31" },
        { "a file that is not there", ["import", "x.parquet", "--out", "OUT"], "x.parquet: expected a .parquet or .json file, or a folder of them, found no such file" },
        { "an empty folder", ["import", "EMPTY", "--out", "OUT"], "found none of them" },
        { "a share of everybody", ["import", "x.parquet", "--eval-share", "1", "--out", "OUT"], "--eval-share must be in [0, 1), got 1" },
        { "an option of another partition", ["partition", "EMPTY", "--by", "fixed", "--alpha", "1", "--out", "OUT"], "--alpha plays no part in --by fixed" },
        { "no such partition", ["partition", "EMPTY", "--by", "chance", "--out", "OUT"], "chance" },
        { "sizes upside down", ["partition", "EMPTY", "--by", "natural", "--min-texts", "5", "--max-texts", "4", "--out", "OUT"], "--max-texts must be at least --min-texts, 5, got 4" },
        { "topics out of range", ["describe", "EMPTY", "--topics", "1"], "--topics must be 0 or in [2, 30], got 1" },
    };

    [Theory, MemberData(nameof(BadInput))]
    public async Task Given_bad_input_When_a_data_command_runs_Then_it_is_refused_with_a_message_that_helps_and_nothing_is_written(string what, string[] arguments, string says)
    {
        var (empty, output) = (_folder.Fresh("empty"), _folder.Fresh("out"));
        Directory.CreateDirectory(empty);
        await using var chorus = ChildProcess.Chorus(
            _folder, ["data", .. arguments.Select(a => a.Replace("EMPTY", empty, StringComparison.Ordinal).Replace("OUT", output, StringComparison.Ordinal))]);
        Assert.True(await chorus.ExitAsync() == ExitCode.BadInput, $"{what}: {chorus.Output}{chorus.Errors}");
        Assert.Contains(says, chorus.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }

    // Speeches of 14 words and marks, one a day from 2024-01-01 on.
    private static async Task WriteAsync(string path, int from, int to)
    {
        string[] names = ["date_str", "speaker", "data"];
        var schema = new ParquetSchema(names.Select(n => new DataField<string>(n)));
        await using var file = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(schema, file);
        using var group = writer.CreateRowGroup();
        int[] days = [.. Enumerable.Range(from, to - from)];
        await group.WriteAsync(schema.DataFields[0], [.. days.Select(d => new DateOnly(2024, 1, 1).AddDays(d).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture))]);
        await group.WriteAsync(schema.DataFields[1], [.. days.Select(d => $"Speaker {d % 7}")]);
        await group.WriteAsync(schema.DataFields[2], [.. days.Select(d => $"Mr Speaker I rise today on day {d} to speak of rivers, of farms and of the {(d % 3 == 0 ? "harbour" : "budget")}.")]);
    }
}
