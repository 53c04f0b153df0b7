using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Chorus.Simulation.Data;

/// <summary>A JSON file that is a list of texts: <c>eval.json</c>, <c>initial_set.json</c>. Small enough to be held.</summary>
/// <param name="Texts">The texts in the file's order.</param>
/// <param name="Sha256">SHA-256 of the file's bytes, lower-case hexadecimal.</param>
public sealed record TextListFile(ImmutableArray<string> Texts, string Sha256)
{
    /// <param name="path">The file.</param>
    /// <param name="minimum">The fewest texts accepted.</param>
    /// <exception cref="DataFormatException">The file is missing, no JSON or UTF-8, no list of strings, or too short.</exception>
    public static TextListFile Read(string path, int minimum = 0)
    {
        if (!File.Exists(path)) throw new DataFormatException(path, null, "a file with a list of texts", "no such file");
        using SafeFileHandle file = File.OpenHandle(path);
        using var tokens = new JsonTokenStream(file, path);
        var texts = ImmutableArray.CreateBuilder<string>();
        tokens.Read();
        if (tokens.Type != JsonTokenType.StartArray) throw tokens.Unexpected("a list [\"text\", ...]");
        while (tokens.Read() && tokens.Type == JsonTokenType.String) texts.Add(tokens.Text());
        if (tokens.Type != JsonTokenType.EndArray) throw tokens.Unexpected("only strings in the list of texts");
        long line = tokens.Line;
        if (tokens.Read()) throw tokens.Unexpected("the end of the file");
        if (texts.Count < minimum) throw new DataFormatException(path, line, $"at least {minimum} texts", texts.Count.ToString());
        return new TextListFile(texts.DrainToImmutable(), tokens.FinishHash());
    }
}
