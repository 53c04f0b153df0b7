using System.Globalization;
using System.Text;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>The classes of characters that Hugging Face's tokenizers ask for, by code point.</summary>
internal static class CharacterClasses
{
    /// <summary>Unicode's White_Space.</summary>
    internal static bool IsWhiteSpace(Rune c) => Rune.IsWhiteSpace(c);

    /// <summary>ASCII signs, symbols such as '+' among them, and all of Unicode's punctuation.</summary>
    internal static bool IsPunctuation(Rune c) => c.IsAscii
        ? c.Value is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~')
        : Rune.IsPunctuation(c);

    internal static bool IsNumber(Rune c) => Rune.IsNumber(c);

    internal static bool IsMark(Rune c) => Rune.GetUnicodeCategory(c)
        is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    internal static bool IsNonSpacingMark(Rune c) => Rune.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark;

    /// <summary>What \w matches in Rust's regular expressions: letters, marks, digits, connectors, joiners and circled letters.</summary>
    internal static bool IsWord(Rune c) => Rune.IsLetterOrDigit(c) || IsMark(c)
        || Rune.GetUnicodeCategory(c) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.LetterNumber
        || c.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>The lower-case form of each character on its own: a final sigma is not looked for.</summary>
    internal static string ToLower(string text)
    {
        // The one character whose lower-case form is two, whatever the language (SpecialCasing.txt).
        const char dottedCapitalI = '\u0130';
        var lower = text.ToLowerInvariant();
        return lower.Contains(dottedCapitalI, StringComparison.Ordinal) ? lower.Replace($"{dottedCapitalI}", "i\u0307", StringComparison.Ordinal) : lower;
    }

    /// <summary>The text without the characters that are not kept; the same string where all are.</summary>
    internal static string Keep(string text, Func<Rune, bool> kept)
    {
        StringBuilder? result = null;
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (!kept(rune))
                result ??= new StringBuilder(text, 0, at, text.Length);
            else
                result?.Append(text, at, rune.Utf16SequenceLength);
            at += rune.Utf16SequenceLength;
        }
        return result?.ToString() ?? text;
    }
}
