using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Chorus.Simulation.Data;
using CsCheck;

namespace Chorus.Simulation.Tests.Data;

public sealed class ClientFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_a_good_file_When_opened_Then_ids_counts_and_texts_are_those_of_the_file()
    {
        string path = _folder.Write("c.json", """
            {
              "zoë": ["first", "sec\u006fnd \"quoted\" \ud83d\ude00"],
              "empty": [],
              "b" : [ "third" ]
            }
            """);
        using ClientFile file = ClientFile.Open(path);

        Assert.Equal(3, file.Count);
        Assert.Equal(3, file.TextCount);
        Assert.Equal(["zoë", "empty", "b"], Enumerable.Range(0, 3).Select(file.IdOf));
        Assert.Equal([2, 0, 1], Enumerable.Range(0, 3).Select(file.TextCountOf));
        Assert.Equal(["first", "second \"quoted\" \U0001F600"], file.ReadTexts(0).ToArray());
        Assert.Empty(file.ReadTexts(1));
        Assert.Equal(["third"], file.ReadTexts(2).ToArray());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))), file.Sha256);
    }

    [Theory]
    [InlineData("", 1, "well-formed JSON")]
    [InlineData("[]", 1, "an object {\"client id\": [\"text\", ...], ...}, found a list")]
    [InlineData("\n\n3", 3, "an object {\"client id\": [\"text\", ...], ...}, found a number")]
    [InlineData("{}", 1, "at least one client, found an empty object")]
    [InlineData("{\"a\": [\"x\"],\n\"b\": \"y\"}", 2, "a list of texts for client \"b\", found a string")]
    [InlineData("{\"a\": [\"x\",\n\n 7]}", 3, "only strings in the list of client \"a\", found a number")]
    [InlineData("{\"a\": [\"x\", null]}", 1, "only strings in the list of client \"a\", found null")]
    [InlineData("{\"a\": [[\"x\"]]}", 1, "only strings in the list of client \"a\", found a list")]
    [InlineData("{\"a\": [\"x\"],\n\"b\": [],\n\"a\": []}", 3, "every client id once, found \"a\" a second time (first on line 1)")]
    [InlineData("{\"a\": [\"x\"],\n\"b\": [\"y\"", 2, "well-formed JSON")]
    [InlineData("{\"a\": [\"x\"]\n\"b\": [\"y\"]}", 2, "well-formed JSON")]
    [InlineData("{\"a\": [\"x\",]}", 1, "well-formed JSON")]
    [InlineData("{\"a\": [\"x\"]}\n{}", 2, "well-formed JSON")]
    [InlineData("{\"a\": [\"\\ud800\"]}", 1, "text in valid UTF-8")]
    public void Given_a_mistake_When_opened_Then_says_file_line_expected_and_found(string content, long line, string says)
    {
        string path = _folder.Write("c.json", content);

        var e = Assert.Throws<DataFormatException>(() => ClientFile.Open(path));

        Assert.StartsWith($"{path}:{line}: expected ", e.Message, StringComparison.Ordinal);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.Equal(line, e.Line);
    }

    [Fact]
    public void Given_bytes_that_are_no_utf8_When_opened_Then_the_line_is_named()
    {
        string path = _folder.Write("c.json", [.. "{\"a\": [\"x\"],\n\"b\": [\"caf"u8, 0xE9, .. "\"]}"u8]);
        var e = Assert.Throws<DataFormatException>(() => ClientFile.Open(path));
        Assert.StartsWith($"{path}:2: expected text in valid UTF-8", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_utf16_file_When_opened_Then_says_so()
    {
        string path = _folder.Write("c.json", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes("{}")]);
        var e = Assert.Throws<DataFormatException>(() => ClientFile.Open(path));
        Assert.Contains("UTF-16", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_byte_order_mark_When_opened_Then_texts_are_found()
    {
        string path = _folder.Write("c.json", [0xEF, 0xBB, 0xBF, .. "{\"a\": [\"x\"]}"u8]);
        using ClientFile file = ClientFile.Open(path);
        Assert.Equal(["x"], file.ReadTexts(0).ToArray());
    }

    [Fact]
    public void Given_a_text_longer_than_the_buffer_When_opened_Then_it_and_its_neighbours_are_read()
    {
        string text = string.Concat(Enumerable.Range(0, 60_000).Select(i => $"w{i} "));
        string path = _folder.Write("c.json", JsonSerializer.Serialize(new Dictionary<string, string[]> { ["a"] = ["s"], ["b"] = [text], ["c"] = ["t"] }));
        using ClientFile file = ClientFile.Open(path);
        Assert.Equal([text], file.ReadTexts(1).ToArray());
        Assert.Equal(["t"], file.ReadTexts(2).ToArray());
    }

    [Fact]
    public void Given_a_mistake_behind_many_buffers_When_opened_Then_the_line_is_right()
    {
        // 40,000 lines of about 20 bytes: a dozen buffers of 64 KiB.
        var content = new StringBuilder("{\n");
        for (int i = 0; i < 20_000; i++) content.Append($"\"client {i}\":\n[\"text {i}\"],\n");
        string path = _folder.Write("c.json", content + "\"client 7\": []}");
        var e = Assert.Throws<DataFormatException>(() => ClientFile.Open(path));
        Assert.Equal(40_002, e.Line);
        Assert.Contains("(first on line 16)", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_another_file_renamed_over_it_When_read_Then_the_texts_are_those_that_were_indexed()
    {
        if (OperatingSystem.IsWindows()) return;   // there the rename itself is refused
        string path = _folder.Write("c.json", """{"a": ["one"], "b": ["two"]}""");
        using ClientFile file = ClientFile.Open(path);
        File.Move(_folder.Write("new.json", """{"longer name": ["other"], "b": ["texts"]}"""), path, overwrite: true);
        Assert.Equal(["two"], file.ReadTexts(1).ToArray());
    }

    [Fact]
    public void Given_a_file_changed_in_place_When_read_Then_says_so_and_gives_no_text()
    {
        if (OperatingSystem.IsWindows()) return;   // there the writer is refused
        string path = _folder.Write("c.json", """{"a": ["one"], "b": ["two"]}""");
        using ClientFile file = ClientFile.Open(path);
        // A program that knows no locks.
        using (var shell = System.Diagnostics.Process.Start("/bin/sh", ["-c", $"printf x > '{path}'"])) shell.WaitForExit();
        var e = Assert.Throws<DataFormatException>(() => file.ReadTexts(1));
        Assert.Equal($"{path}:1: expected the texts of client \"b\" where they stood when the file was opened, found a file changed since", e.Message);
    }

    [Fact]
    public void Given_any_clients_When_written_and_opened_Then_they_come_back_in_order() =>
        Gen.Select(Gen.String.Array[0, 5].Array[1, 8], Gen.Bool).Sample((clients, indented) =>
        {
            // Lone surrogates are no text: JsonSerializer writes U+FFFD for them, so they are mapped first.
            string[][] texts = [.. clients.Select(c => c.Select(t => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(t))).ToArray())];
            string path = _folder.Write("any.json", JsonSerializer.Serialize(
                texts.Select((t, i) => (Id: $"client {i}", Texts: t)).ToDictionary(c => c.Id, c => c.Texts),
                new JsonSerializerOptions { WriteIndented = indented }));
            using ClientFile file = ClientFile.Open(path);
            Assert.Equal(texts.Length, file.Count);
            for (int i = 0; i < texts.Length; i++) Assert.Equal(texts[i], file.ReadTexts(i).ToArray());
        }, iter: 300, threads: 1);

    [Fact]
    public async Task Given_many_readers_When_reading_at_once_Then_each_gets_its_client()
    {
        var clients = Enumerable.Range(0, 200).ToDictionary(i => $"c{i}", i => Enumerable.Range(0, i % 7).Select(j => $"{i}/{j}").ToArray());
        string path = _folder.Write("c.json", JsonSerializer.Serialize(clients));
        using ClientFile file = ClientFile.Open(path);
        await Parallel.ForAsync(0, 2_000, (i, _) =>
        {
            Assert.Equal(clients[$"c{i % 200}"], file.ReadTexts(i % 200).ToArray());
            return ValueTask.CompletedTask;
        });
    }
}
