using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Import;

namespace Chorus.Simulation.Tests.Data.Import;

public sealed class CorpusImportTests : IDisposable
{
    private static readonly string[] Congress = ["url", "date_str", "title", "speaker", "data", "chamber", "country"];

    private readonly TemporaryFolder _folder = new();

    private string Output => Path.Combine(_folder.Path, "out");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_speeches_split_by_date_When_imported_Then_each_row_is_a_client_and_long_ones_are_pieces()
    {
        // 2023-01 to 2024-12, one a month; public before 2024, held out from October 2024.
        string?[][] rows = [.. Enumerable.Range(0, 24).SelectMany(m => Enumerable.Range(0, 4).Select(i => new string?[]
        {
            "u", $"{2023 + (m / 12)}-{1 + (m % 12):D2}-15", "t", $"Speaker {i}", $"Speech {m} {i} has one two three four five six seven eight words.", "HOUSE", i == 0 ? "US" : "CA",
        }))];
        string path = await ParquetAsync(Congress, rows);
        ImportSummary summary = await CorpusImport.RunAsync(
            [path], Settings(7) with { InitialBefore = new DateOnly(2024, 1, 1), EvalFrom = new DateOnly(2024, 10, 1), Columns = new ColumnNames(Topic: "country") }, Output);

        Assert.Equal(new ColumnMap("data", null, "date_str", "country", null), summary.Columns);
        Assert.Equal((96L, 36, 72L, 24, 96), (summary.Rows, summary.Clients, summary.Texts, summary.EvalTexts, summary.InitialTexts));
        using FederatedCorpus corpus = FederatedCorpus.Open(Output);
        Assert.Equal("row-0000049", corpus.Clients.IdOf(0));
        Assert.Equal(["Speech 12 0 has one two three", "four five six seven eight words."], corpus.Clients.ReadTexts(0).AsEnumerable());
        using ClientFile topics = CorpusTopics.OpenClients(corpus)!;
        Assert.Equal(["US", "US"], topics.ReadTexts(0).AsEnumerable());
        Assert.Equal(24, CorpusTopics.ReadEval(corpus)!.Value.Length);
        Assert.Equal(["eval.json", "eval_topics.json", "initial_set.json", "initial_topics.json", "train_clients.json", "train_topics.json"], Directory.GetFiles(Output).Select(f => Path.GetFileName(f)).Order());
    }

    [Fact]
    public async Task Given_speeches_by_speaker_When_split_by_client_Then_nobody_is_in_two_places_and_the_seed_decides()
    {
        string path = await ParquetAsync(Congress, [.. Enumerable.Range(0, 900).Select(i => new string?[] { "u", "2024-01-01", "t", $"Speaker {i % 150}", $"speech number {i}", "HOUSE", "US" })]);
        ImportSettings settings = Settings(null) with { InitialShare = 0.2, EvalShare = 0.1, Columns = new ColumnNames(Client: "speaker") };
        ImportSummary summary = await CorpusImport.RunAsync([path], settings, Output);

        using FederatedCorpus corpus = FederatedCorpus.Open(Output);
        Assert.Equal(900, summary.Texts + summary.EvalTexts + summary.InitialTexts);
        Assert.InRange(summary.EvalTexts, 30, 180);      // 15 of 150 speakers with 6 texts each
        Assert.InRange(summary.InitialTexts, 90, 270);
        Assert.Equal(0, summary.EvalOfClients);
        Assert.All(Enumerable.Range(0, corpus.Clients.Count), c => Assert.Equal(6, corpus.Clients.TextCountOf(c)));
        Assert.All(corpus.Eval.GroupBy(SpeakerOf), g => Assert.Equal(6, g.Count()));
        Assert.Empty(corpus.Eval.Select(SpeakerOf).Intersect(corpus.Initial.Select(SpeakerOf)));
        Assert.Empty(corpus.Eval.Select(SpeakerOf).Intersect(Enumerable.Range(0, corpus.Clients.Count).Select(c => SpeakerOf(corpus.Clients.ReadTexts(c)[0]))));

        await CorpusImport.RunAsync([path], settings, Path.Combine(_folder.Path, "again"));
        await CorpusImport.RunAsync([path], settings with { Seed = 2 }, Path.Combine(_folder.Path, "other"));
        using FederatedCorpus again = FederatedCorpus.Open(Path.Combine(_folder.Path, "again")), other = FederatedCorpus.Open(Path.Combine(_folder.Path, "other"));
        Assert.Equal(corpus.Sha256, again.Sha256);
        Assert.NotEqual(corpus.Sha256, other.Sha256);

        static int SpeakerOf(string text) => int.Parse(text.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture) % 150;
    }

    [Fact]
    public async Task Given_a_speaker_before_and_after_the_date_When_split_by_date_Then_its_later_texts_are_left_out_and_counted()
    {
        string?[][] rows =
        [
            .. Enumerable.Range(0, 20).Select(i => new string?[] { "u", "2024-01-01", "t", $"old {i}", $"text a {i}", "H", "US" }),
            .. Enumerable.Range(0, 20).Select(i => new string?[] { "u", "2024-07-01", "t", $"{(i < 5 ? "old" : "new")} {i}", $"text b {i}", "H", "US" }),
        ];
        ImportSummary summary = await CorpusImport.RunAsync(
            [await ParquetAsync(Congress, rows)],
            Settings(null) with { EvalFrom = new DateOnly(2024, 7, 1), Initial = Initial, Columns = new ColumnNames(Client: "speaker") }, Output);
        Assert.Equal((20, 15, 5L), (summary.Clients, summary.EvalTexts, summary.EvalOfClients));
        using FederatedCorpus corpus = FederatedCorpus.Open(Output);
        Assert.Equal(Initial, corpus.Initial.AsEnumerable());
    }

    [Fact]
    public async Task Given_abstracts_in_versions_empty_doubled_and_undated_When_imported_Then_each_is_left_out_for_its_reason()
    {
        string[] columns = ["doi", "date", "authors", "category", "abstract"];
        string?[][] good = [.. Enumerable.Range(0, 40).Select(i => new string?[] { $"10.1/{i}", "2023-06-01", "A; B", "ecology", $"Abstract of paper {i}." })];
        string?[][] bad =
        [
            ["10.1/3", "2023-08-01", "A; B", "ecology", "A second version of the abstract of paper 3."],
            ["10.1/900", "2023-06-01", "C", "ecology", "Abstract  of paper\n7."],
            ["10.1/901", "2023-06-01", "C", "ecology", " "],
            ["10.1/902", "2023-06-01", "C", "ecology", null],
            ["10.1/903", null, "C", "ecology", "No date."],
            ["10.1/904", "2022-01-01", "C", "ecology", "Before the model's training data ended."],
            ["10.1/905", "2025-01-01", "C", "ecology", "After."],
        ];
        ImportSummary summary = await CorpusImport.RunAsync(
            [await ParquetAsync(columns, [.. good, .. bad])],
            Settings(64) with { Since = new DateOnly(2023, 4, 1), Until = new DateOnly(2025, 1, 1), EvalShare = 0.5, Initial = Initial }, Output);
        Assert.Equal(new ColumnMap("abstract", null, "date", "category", "doi"), summary.Columns);
        Assert.Equal((47L, 2L, 1L, 2L, 2L), (summary.Rows, summary.Empty, summary.Incomplete, summary.OutOfRange, summary.Repeated));
        Assert.Equal(40, summary.Texts + summary.EvalTexts);
    }

    [Fact]
    public async Task Given_limits_on_a_clients_texts_When_imported_Then_small_clients_go_and_large_ones_keep_a_draw_in_order()
    {
        string?[][] rows = [.. Enumerable.Range(0, 200).Select(i => new string?[] { "u", "2024-01-01", "t", i < 100 ? "large" : i < 103 ? "small" : "mid" + (i % 10), $"text {i:D3}", "H", "US" })];
        ImportSettings settings = Settings(null) with { Initial = Initial, Columns = new ColumnNames(Client: "speaker"), MinTexts = 5, MaxTexts = 20 };
        // The large speaker must not be the one held out.
        ImportSummary summary = await CorpusImport.RunAsync([await ParquetAsync(Congress, rows)], settings with { EvalShare = 0.3, Seed = SeedThatKeeps(settings, "large", "small") }, Output);
        Assert.Equal(1, summary.SmallClients);
        using FederatedCorpus corpus = FederatedCorpus.Open(Output);
        int large = Enumerable.Range(0, corpus.Clients.Count).Single(c => corpus.Clients.IdOf(c) == "large");
        string[] kept = [.. corpus.Clients.ReadTexts(large)];
        Assert.Equal(20, kept.Length);
        Assert.Equal(kept.Order(), kept);
        Assert.NotEqual(kept, Enumerable.Range(0, 20).Select(i => $"text {i:D3}"));
    }

    [Fact]
    public async Task Given_several_files_of_both_kinds_When_imported_Then_they_are_read_one_after_another()
    {
        string parquet = await ParquetAsync(Congress, [.. Enumerable.Range(0, 30).Select(i => new string?[] { "u", "2024-01-01", "t", $"S{i}", $"parquet {i}", "H", "US" })]);
        string json = _folder.Write("b.json", "[" + string.Join(",", Enumerable.Range(0, 30).Select(i => $$"""{"data": "json {{i}}", "speaker": "J{{i}}"}""")) + "]");
        var told = new List<int>();
        ImportSummary summary = await CorpusImport.RunAsync([parquet, json], Settings(null) with { EvalShare = 0.4, Initial = Initial }, Output, new Told(told.Add));
        Assert.Equal(60, summary.Texts + summary.EvalTexts);
        Assert.Equal([30, 60], told);
    }

    [Theory]
    [InlineData("nothing", null, "--text", "the columns url, date_str, title, speaker, chamber, country")]
    [InlineData("text", "speech", "expected the column speech (--text), found the columns url", "data")]
    [InlineData("client", "who", "expected the column who (--client)", "speaker")]
    public async Task Given_columns_that_are_not_there_When_imported_Then_says_which_there_are(string role, string? name, string says, string also)
    {
        string[] columns = role == "nothing" ? [.. Congress.Where(c => c != "data")] : Congress;
        string path = await ParquetAsync(columns, [.. Enumerable.Range(0, 20).Select(i => columns.Select(c => (string?)$"{c} {i}").ToArray())]);
        ColumnNames names = role switch { "text" => new(Text: name), "client" => new(Client: name), _ => new() };
        var e = await Assert.ThrowsAsync<DataFormatException>(() => CorpusImport.RunAsync([path], Settings(null) with { Columns = names, Initial = Initial, EvalShare = 0.5 }, Output));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.Contains(also, e.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Output));
    }

    [Fact]
    public async Task Given_a_date_that_is_none_When_imported_by_date_Then_the_row_is_named()
    {
        string path = await ParquetAsync(Congress, [["u", "2024-01-01", "t", "s", "a", "H", "US"], ["u", "the day before", "t", "s", "b", "H", "US"]]);
        var e = await Assert.ThrowsAsync<DataFormatException>(() => CorpusImport.RunAsync([path], Settings(null) with { EvalFrom = new DateOnly(2024, 1, 1), Initial = Initial }, Output));
        Assert.Equal($"{path}: expected a date such as 2024-03-31 in row 2, found \"the day before\"", e.Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path, "out*"));
    }

    [Fact]
    public async Task Given_too_few_of_a_kind_When_imported_Then_says_which_option_would_give_more_and_leaves_nothing()
    {
        string path = await ParquetAsync(Congress, [.. Enumerable.Range(0, 50).Select(i => new string?[] { "u", "2024-01-01", "t", $"S{i}", $"text {i}", "H", "US" })]);
        async Task<string> Says(ImportSettings settings) => (await Assert.ThrowsAsync<DataFormatException>(() => CorpusImport.RunAsync([path], settings, Output))).Message;
        Assert.Contains("at least 10 held-out texts (--eval-from or --eval-share), found 0", await Says(Settings(null) with { Initial = Initial }), StringComparison.Ordinal);
        Assert.Contains("at least 10 public texts (--initial, --initial-before or --initial-share), found 0", await Says(Settings(null) with { EvalShare = 0.5 }), StringComparison.Ordinal);
        Assert.Contains("rows for at least one private client", await Says(Settings(null) with { Initial = Initial, EvalFrom = new DateOnly(2020, 1, 1) }), StringComparison.Ordinal);
        Assert.Contains("lower --min-texts", await Says(Settings(null) with { Initial = Initial, EvalShare = 0.5, MinTexts = 9 }), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path, "out*"));

        Directory.CreateDirectory(Output);
        File.WriteAllText(Path.Combine(Output, "mine.txt"), "");
        Assert.Contains("found a folder with things in it", await Says(Settings(null) with { Initial = Initial, EvalShare = 0.5 }), StringComparison.Ordinal);
    }

    private static string[] Initial => [.. Enumerable.Range(0, 12).Select(i => $"public text {i}")];

    private static ImportSettings Settings(int? most) => new() { Cutter = new TextCutter(most, 0, split: true) };

    private static ulong SeedThatKeeps(ImportSettings settings, params string[] clients) =>
        Enumerable.Range(1, 99).Select(s => (ulong)s).First(seed => clients.All(c => CorpusImport.PlaceAt(settings with { Seed = seed }, c) > 0.3));

    private async Task<string> ParquetAsync(string[] columns, IReadOnlyList<string?[]> rows)
    {
        string path = Path.Combine(_folder.Path, $"{Guid.NewGuid():n}.parquet");
        await ParquetFiles.WriteAsync(path, columns, rows, rowsAGroup: 17);
        return path;
    }

    private sealed class Told(Action<int> tell) : IProgress<int>
    {
        public void Report(int value) => tell(value);
    }
}
