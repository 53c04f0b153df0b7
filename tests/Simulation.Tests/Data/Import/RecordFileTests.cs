using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Import;
using Parquet;
using Parquet.Schema;

namespace Chorus.Simulation.Tests.Data.Import;

public sealed class RecordFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_row_groups_of_texts_When_read_Then_the_columns_asked_for_in_the_order_asked_for()
    {
        string path = Path.Combine(_folder.Path, "a.parquet");
        string?[][] rows = [.. Enumerable.Range(0, 25).Select(i => new[] { $"text {i} é", i % 5 == 0 ? null : $"who {i}", "x" })];
        await ParquetFiles.WriteAsync(path, ["data", "speaker", "url"], rows, rowsAGroup: 10);
        await using RecordFile file = await RecordFile.OpenAsync(path, CancellationToken.None);
        Assert.Equal(["data", "speaker", "url"], file.Columns);
        string?[][] read = await AllAsync(file, ["speaker", "data"]);
        Assert.Equal(rows.Select(r => (r[1], r[0])), read.Select(r => (r[0], r[1])));
    }

    [Fact]
    public async Task Given_dates_numbers_and_lists_When_read_Then_dates_and_numbers_are_text_and_lists_are_told()
    {
        string path = Path.Combine(_folder.Path, "a.parquet");
        var date = new DataField<DateTime>("date");
        var day = new DataField<DateOnly?>("day");
        var number = new DataField<int?>("n");
        var big = new DataField<long>("big");
        var real = new DataField<double>("real");
        var authors = new ListField("authors", new DataField<string>("element"));
        await ParquetFiles.WriteAsync(path, new ParquetSchema(date, day, number, big, real, authors), async (writer, _) =>
        {
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            await group.WriteAsync<DateTime>(date, new DateTime[] { new(2024, 3, 1, 0, 0, 0, DateTimeKind.Utc), new(2024, 3, 2, 10, 30, 0, DateTimeKind.Utc) });
            await group.WriteAsync<DateOnly>(day, new DateOnly?[] { null, new(2023, 12, 31) });
            await group.WriteAsync<int>(number, new int?[] { 7, null });
            await group.WriteAsync<long>(big, new[] { long.MaxValue, -1 });
            await group.WriteAsync<double>(real, new[] { 1.5, 2.5 });
            await group.WriteAsync((DataField)authors.Item, ["a", "b", "c"], new[] { 0, 1, 0 });
        });
        await using RecordFile file = await RecordFile.OpenAsync(path, CancellationToken.None);
        Assert.Equal(["date", "day", "n", "big", "real"], file.Columns);
        Assert.Equal(["authors"], file.ListColumns);
        string?[][] read = await AllAsync(file, ["date", "day", "n", "big"]);
        Assert.Equal(["2024-03-01", null, "7", "9223372036854775807"], read[0].AsEnumerable());
        Assert.Equal(["2024-03-02T10:30:00", "2023-12-31", null, "-1"], read[1].AsEnumerable());
        Assert.Contains("text, a date or a whole number in column real, found Double", (await Assert.ThrowsAsync<DataFormatException>(() => AllAsync(file, ["real"]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_list_of_json_records_When_read_Then_texts_and_numbers_and_what_is_nested_is_passed_over()
    {
        string path = _folder.Write("a.json", """[{"data": "one", "n": 12.50, "tags": ["x", {"data": "no"}]}, {"tags": [], "data": null}, {"data": "three", "more": {"data": [1]}}]""");
        await using RecordFile file = await RecordFile.OpenAsync(path, CancellationToken.None);
        Assert.Equal(["data", "n", "tags"], file.Columns);
        string?[][] read = await AllAsync(file, ["data", "n", "tags"]);
        Assert.Equal([["one", "12.50", null], [null, null, null], ["three", null, null]], read);
    }

    [Theory]
    [InlineData("a.json", "{}", "expected a list of records")]
    [InlineData("a.json", "[]", "expected at least one record")]
    [InlineData("a.json", "[\"text\"]", "expected a list of records")]
    [InlineData("a.json", "[{\"a\": 1}, 2]", "expected a list of records")]
    [InlineData("a.json", "[{\"a\": 1}] []", "well-formed JSON")]
    [InlineData("a.parquet", "PAR1 but not really", "expected a parquet file")]
    [InlineData("a.csv", "a,b", "expected a .parquet or .json file, found a .csv file")]
    public async Task Given_what_is_no_file_of_records_When_read_Then_says_so(string name, string content, string says)
    {
        string path = _folder.Write(name, content);
        var e = await Assert.ThrowsAsync<DataFormatException>(async () =>
        {
            await using RecordFile file = await RecordFile.OpenAsync(path, CancellationToken.None);
            await AllAsync(file, file.Columns);
        });
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_parquet_file_cut_short_or_altered_When_read_Then_every_failure_names_it()
    {
        string path = Path.Combine(_folder.Path, "a.parquet");
        await ParquetFiles.WriteAsync(path, ["text"], [.. Enumerable.Range(0, 200).Select(i => new[] { $"some text of number {i}" })], rowsAGroup: 50);
        byte[] whole = await File.ReadAllBytesAsync(path);
        var random = new Random(1);
        for (int i = 0; i < 60; i++)
        {
            byte[] damaged = i % 2 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            if (i % 2 == 1)
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            string other = _folder.Write($"{i}.parquet", damaged);
            try
            {
                await using RecordFile file = await RecordFile.OpenAsync(other, CancellationToken.None);
                await AllAsync(file, file.Columns);   // a flipped bit may leave another text
            }
            catch (DataFormatException e)
            {
                Assert.StartsWith(other, e.Message, StringComparison.Ordinal);
            }
        }
    }

    private static async Task<string?[][]> AllAsync(RecordFile file, IReadOnlyList<string> columns)
    {
        var rows = new List<string?[]>();
        await foreach (string?[] row in file.ReadAsync(columns, CancellationToken.None))
            rows.Add(row);
        return [.. rows];
    }
}
