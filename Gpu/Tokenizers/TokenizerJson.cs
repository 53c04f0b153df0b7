using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Chorus.Gpu.Checkpoints;

namespace Chorus.Gpu.Tokenizers;

/// <summary>What Hugging Face's tokenizer.json says of a byte-level BPE tokenizer.</summary>
/// <param name="Vocabulary">Token to id, in GPT-2's byte alphabet.</param>
/// <param name="Merges">In order of rank.</param>
/// <param name="AddedTokens">Special tokens and their ids.</param>
/// <param name="WordPattern">The regular expression of a word; null is GPT-2's.</param>
/// <param name="WholeWords">A word that is a token is taken whole, whatever the merges say ("ignore_merges").</param>
internal sealed record TokenizerJson(
    IReadOnlyList<KeyValuePair<string, int>> Vocabulary,
    IReadOnlyList<(string Left, string Right)> Merges,
    IReadOnlyList<(string Content, int Id)> AddedTokens,
    string? WordPattern,
    bool WholeWords)
{
    internal void Write(string path) => AtomicFile.Write(path, stream =>
    {
        // Relaxed escaping writes the alphabet's letters as themselves, as Hugging Face does; nothing here goes into HTML.
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (var (content, id) in AddedTokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", content);
            foreach (var flag in new[] { "single_word", "lstrip", "rstrip", "normalized" })
                json.WriteBoolean(flag, false);
            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNull("normalizer");
        WriteByteLevel(json, "pre_tokenizer", addPrefixSpace: false);
        json.WriteNull("post_processor");
        WriteByteLevel(json, "decoder", addPrefixSpace: true);
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (var unused in new[] { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" })
            json.WriteNull(unused);
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", WholeWords);
        json.WriteStartObject("vocab");
        foreach (var (content, id) in AddedTokens.Select(t => (t.Content, t.Id)).Concat(Vocabulary.Select(v => (v.Key, v.Value))).OrderBy(t => t.Item2))
            json.WriteNumber(content, id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in Merges)
            json.WriteStringValue($"{left} {right}"); // the form that old and new readers know; no token holds a space
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static void WriteByteLevel(Utf8JsonWriter json, string name, bool addPrefixSpace)
    {
        json.WriteStartObject(name);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", true);
        json.WriteEndObject();
    }

    /// <exception cref="InvalidDataException">No such file's content, or another kind of tokenizer; the message says what was expected.</exception>
    internal static TokenizerJson Read(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            return Read(json.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidDataException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{path}: expected a byte-level BPE tokenizer.json of Hugging Face's tokenizers; {e.Message}", e);
        }
    }

    private static TokenizerJson Read(JsonElement root)
    {
        var model = root.GetProperty("model");
        if (Text(model, "type") is { } type && type != "BPE")
            throw new InvalidDataException($"model.type must be BPE, found {type}");
        if (root.TryGetProperty("normalizer", out var normalizer) && normalizer.ValueKind != JsonValueKind.Null)
            throw new InvalidDataException("normalizer must be null");
        foreach (var name in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (!string.IsNullOrEmpty(Text(model, name)))
                throw new InvalidDataException($"model.{name} must be null");
        }
        var added = root.TryGetProperty("added_tokens", out var tokens) && tokens.ValueKind == JsonValueKind.Array
            ? tokens.EnumerateArray().Select(t => (t.GetProperty("content").GetString()!, t.GetProperty("id").GetInt32())).ToArray()
            : [];
        var special = added.Select(t => t.Item1).ToHashSet(StringComparer.Ordinal);
        var vocabulary = model.GetProperty("vocab").EnumerateObject()
            .Where(t => !special.Contains(t.Name))
            .Select(t => KeyValuePair.Create(t.Name, t.Value.GetInt32()))
            .OrderBy(t => t.Value).ToArray();
        var merges = model.GetProperty("merges").EnumerateArray().Select(ReadMerge).ToArray();
        var wholeWords = model.TryGetProperty("ignore_merges", out var ignore) && ignore.ValueKind == JsonValueKind.True;
        return new TokenizerJson(vocabulary, merges, added, ReadPattern(root.GetProperty("pre_tokenizer")), wholeWords);
    }

    private static (string Left, string Right) ReadMerge(JsonElement merge)
    {
        var parts = merge.ValueKind == JsonValueKind.Array
            ? [.. merge.EnumerateArray().Select(p => p.GetString()!)]
            : merge.GetString()!.Split(' ');
        return parts.Length == 2 ? (parts[0], parts[1]) : throw new InvalidDataException($"a merge must have two parts, found {merge}");
    }

    // ByteLevel alone (GPT-2), or Llama 3's sequence of a split by its own pattern and ByteLevel without one.
    private static string? ReadPattern(JsonElement preTokenizer)
    {
        if (Text(preTokenizer, "type") == "Sequence" && preTokenizer.GetProperty("pretokenizers") is { ValueKind: JsonValueKind.Array } parts
            && parts.GetArrayLength() == 2 && Text(parts[0], "type") == "Split" && Text(parts[0], "behavior") == "Isolated"
            && Text(parts[1], "type") == "ByteLevel" && !parts[1].GetProperty("add_prefix_space").GetBoolean() && !parts[1].GetProperty("use_regex").GetBoolean())
        {
            var pattern = parts[0].GetProperty("pattern").GetProperty("Regex").GetString()!;
            try
            {
                _ = new Regex(pattern);
                return pattern;
            }
            catch (ArgumentException e)
            {
                throw new InvalidDataException($"the word pattern is not understood: {e.Message}", e);
            }
        }
        if (Text(preTokenizer, "type") == "ByteLevel" && !preTokenizer.GetProperty("add_prefix_space").GetBoolean()
            && (!preTokenizer.TryGetProperty("use_regex", out var useRegex) || useRegex.GetBoolean()))
            return null;
        throw new InvalidDataException("pre_tokenizer must be ByteLevel without a prefix space, or a Split and ByteLevel in sequence");
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
