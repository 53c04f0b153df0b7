using System.Text.Json;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cli.Tests.Commands.Model;

[Collection(CliCollection.Name)]
public sealed class TokenizeCommandTests(CliFixture shared)
{
    private readonly TestFolder _folder = shared.Folder;

    [Fact]
    public async Task Given_a_text_a_line_When_tokenized_Then_json_holds_ids_both_ways_and_the_decoded_text()
    {
        var texts = Write("texts.txt", "Hello café\n\n[hello]\r\n");
        using var json = JsonDocument.Parse(await TokenizeAsync(texts, "--json"));
        Assert.Equal(3, json.RootElement.GetArrayLength());
        Assert.Equal("Hello café", json.RootElement[0].GetProperty("text").GetString());
        Assert.Equal([2, 5, 6, 3], Ids(json.RootElement[0], "ids"));
        Assert.Equal([5, 6], Ids(json.RootElement[0], "ids_no_special"));
        Assert.Equal("hello cafe", json.RootElement[0].GetProperty("decoded").GetString());
        Assert.Equal([2, 3], Ids(json.RootElement[1], "ids"));
        Assert.Equal([7, 5, 1], Ids(json.RootElement[2], "ids_no_special"));
        Assert.Equal("2 5 6 3", (await TokenizeAsync(texts)).Split(Environment.NewLine)[0]);
    }

    [Fact]
    public async Task Given_a_json_list_with_half_a_surrogate_pair_When_tokenized_Then_it_is_the_replacement_character()
    {
        using var json = JsonDocument.Parse(await TokenizeAsync(Write("texts.json", """["hello\nhello", "\ud83d caf\u00e9 \"", "\ud83d\ude00"]"""), "--json"));
        Assert.Equal([5, 5], Ids(json.RootElement[0], "ids_no_special"));
        Assert.Equal("\ufffd café \"", json.RootElement[1].GetProperty("text").GetString());
        Assert.Equal([6, 1], Ids(json.RootElement[1], "ids_no_special")); // BERT drops U+FFFD
        Assert.Equal("😀", json.RootElement[2].GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("texts.json", "[1]", "expected a JSON list of strings")]
    [InlineData("texts.json", "[\"a\"", "expected a JSON list of strings")]
    [InlineData("missing.txt", null, "there is no such file")]
    public async Task Given_a_broken_text_file_When_tokenized_Then_it_is_bad_input_and_says_why(string name, string? content, string why)
    {
        var texts = content is null ? _folder.Fresh("none") : Write(name, content);
        await using var chorus = ChildProcess.Chorus(_folder, "model", "tokenize", "--checkpoint", Checkpoint(), "--text-file", texts, "--json");
        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains(why, chorus.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_folder_without_a_tokenizer_When_tokenized_Then_it_is_bad_input_and_says_what_was_expected()
    {
        var empty = _folder.Fresh("empty");
        Directory.CreateDirectory(empty);
        await using var chorus = ChildProcess.Chorus(_folder, "model", "tokenize", "--checkpoint", empty, "--text-file", Write("texts.txt", "a"), "--json");
        Assert.Equal(ExitCode.BadInput, await chorus.ExitAsync());
        Assert.Contains("expected tokenizer.json", chorus.Errors, StringComparison.Ordinal);
    }

    private async Task<string> TokenizeAsync(string texts, params string[] options)
    {
        await using var chorus = ChildProcess.Chorus(_folder, ["model", "tokenize", "--checkpoint", Checkpoint(), "--text-file", texts, .. options]);
        Assert.True(await chorus.ExitAsync() == ExitCode.Done, chorus.Errors);
        return chorus.Output;
    }

    private string Checkpoint()
    {
        var folder = _folder.Fresh("bert");
        Directory.CreateDirectory(folder);
        File.WriteAllLines(Path.Combine(folder, "vocab.txt"), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "cafe", "["]);
        return folder;
    }

    private string Write(string name, string content)
    {
        var path = $"{_folder.Fresh("file")}-{name}";
        File.WriteAllText(path, content);
        return path;
    }

    private static IEnumerable<int> Ids(JsonElement text, string name) => text.GetProperty(name).EnumerateArray().Select(id => id.GetInt32());
}
