using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>A literal or a regular expression of a tokenizer.json, matched by code points.</summary>
/// <remarks>
/// .NET's Regex sees UTF-16 units, so that \p{L} misses every letter beyond U+FFFF (Gothic, rare Chinese characters,
/// mathematical letters), which Hugging Face's tokenizers match. In a text that has such characters each is replaced, for
/// the match alone, by a stand-in of its category below U+FFFF.
/// </remarks>
internal sealed class TextPattern
{
    private static readonly char[] StandIns = FindStandIns();

    private readonly Regex _regex;

    private TextPattern(Regex regex) => _regex = regex;

    /// <summary>Reads {"String": ...} or {"Regex": ...}.</summary>
    internal static TextPattern Read(ComponentJson json) => json switch
    {
        _ when json.Text("String") is { } literal => Literal(literal),
        _ when json.Text("Regex") is { } pattern => Compile(pattern, json),
        _ => throw json.Wrong("expected {\"String\": ...} or {\"Regex\": ...}"),
    };

    internal static TextPattern Literal(string literal) => new(new Regex(Regex.Escape(literal), RegexOptions.CultureInvariant));

    internal static TextPattern Of(Regex regex) => new(regex);

    private static TextPattern Compile(string pattern, ComponentJson json)
    {
        // Oniguruma reads these as class intersection and POSIX classes; .NET would take them for plain characters.
        if (pattern.Contains("&&", StringComparison.Ordinal) || pattern.Contains("[:", StringComparison.Ordinal))
            throw json.Wrong($"the regular expression uses && or [: :], which is not supported: {pattern}");
        try
        {
            return new TextPattern(new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled));
        }
        catch (ArgumentException e)
        {
            throw json.Wrong($"the regular expression is not understood: {e.Message}");
        }
    }

    /// <summary>Appends the matches that are not empty, from the left, as places in the text.</summary>
    internal void Matches(ReadOnlySpan<char> text, List<Range> matches)
    {
        if (text.IndexOfAnyInRange('\ud800', '\udfff') < 0)
        {
            foreach (var match in _regex.EnumerateMatches(text))
            {
                if (match.Length > 0)
                    matches.Add(match.Index..(match.Index + match.Length));
            }
            return;
        }
        var shadow = new char[text.Length];
        var at = new int[text.Length + 1]; // where each character of the shadow stands in the text
        var length = 0;
        var unit = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            at[length] = unit;
            shadow[length++] = rune.IsBmp ? (char)rune.Value : StandIns[(int)Rune.GetUnicodeCategory(rune)];
            unit += rune.Utf16SequenceLength;
        }
        at[length] = unit;
        foreach (var match in _regex.EnumerateMatches(shadow.AsSpan(0, length)))
        {
            if (match.Length > 0)
                matches.Add(at[match.Index]..at[match.Index + match.Length]);
        }
    }

    internal string Replace(string text, string replacement)
    {
        var matches = new List<Range>();
        Matches(text, matches);
        if (matches.Count == 0)
            return text;
        var result = new StringBuilder(text.Length);
        var end = 0;
        foreach (var match in matches)
        {
            result.Append(text, end, match.Start.Value - end).Append(replacement);
            end = match.End.Value;
        }
        return result.Append(text, end, text.Length - end).ToString();
    }

    // The last of each category below U+FFFF: patterns name single characters from the beginnings of the scripts.
    private static char[] FindStandIns()
    {
        var standIns = new char[Enum.GetValues<UnicodeCategory>().Length];
        for (var c = '\u0100'; c < '\uffff'; c++)
            standIns[(int)CharUnicodeInfo.GetUnicodeCategory(c)] = c;
        return standIns;
    }
}
