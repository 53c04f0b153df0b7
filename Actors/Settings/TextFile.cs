using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Chorus.Actors.Settings;

/// <summary>The texts of <c>--text-file</c>: a JSON list of strings, or one text a line.</summary>
public static class TextFile
{
    /// <exception cref="SettingsException">There is no such file, or it opens like a JSON list and is none.</exception>
    public static string[] Read(string path, string option = "--text-file")
    {
        if (!File.Exists(path))
            throw new SettingsException($"{option} {path}: there is no such file");
        var bytes = File.ReadAllBytes(path).AsSpan();
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        var json = path.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
        if (json || bytes.TrimStart(" \t\r\n"u8) is [(byte)'[', ..])
        {
            try
            {
                return ReadList(bytes);
            }
            catch (JsonException e)
            {
                // A line of text may open with a bracket; a file that says it is JSON may not be something else.
                if (json)
                    throw new SettingsException($"{option} {path}: expected a JSON list of strings; {e.Message}");
            }
        }

        var text = Encoding.UTF8.GetString(bytes);
        if (text.Length == 0)
            return [];
        var lines = text.Split('\n');
        // A line feed ends a line: behind the last one nothing begins.
        var count = lines[^1].Length == 0 ? lines.Length - 1 : lines.Length;
        return [.. lines.Take(count).Select(line => line.EndsWith('\r') ? line[..^1] : line)];
    }

    private static string[] ReadList(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        var texts = new List<string>();
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("it does not begin with [");
        while (reader.Read() && reader.TokenType == JsonTokenType.String)
            texts.Add(reader.ValueIsEscaped ? Unescape(Encoding.UTF8.GetString(reader.ValueSpan)) : Encoding.UTF8.GetString(reader.ValueSpan));
        if (reader.TokenType != JsonTokenType.EndArray)
            throw new JsonException($"text {texts.Count} is of type {reader.TokenType}");
        if (reader.Read())
            throw new JsonException("something follows the list");
        return [.. texts];
    }

    // Utf8JsonReader refuses \ud800 alone, which Python writes and tokenizers are to read as U+FFFD. The escapes themselves
    // have been checked by the reader.
    private static string Unescape(string text)
    {
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                plain.Append(text[i]);
                continue;
            }
            i++;
            if (text[i] == 'u')
            {
                plain.Append((char)ushort.Parse(text.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += 4;
                continue;
            }
            plain.Append(text[i] switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'b' => '\b', 'f' => '\f', var other => other });
        }
        return plain.ToString();
    }
}
