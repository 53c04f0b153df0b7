using System.Text;

namespace Chorus.Simulation.Data.Import;

/// <summary>Makes pieces of at most so many tokens out of a text, between words.</summary>
/// <remarks>
/// White space is made single spaces first: texts then have neither line breaks nor blank lines, which part texts for a policy.
/// A piece is never decoded from tokens, so no tokenizer can change its characters. A word of more tokens than a piece may have is cut
/// within, between code points.
/// </remarks>
public sealed class TextCutter
{
    /// <summary>Characters a token below which a text may fit whole, so that this is tried first.</summary>
    private const long ShortText = 8;

    private readonly int _most;
    private readonly int _fewest;
    private readonly bool _split;
    private readonly Func<string, int> _count;

    /// <param name="maxTokens">Tokens of a piece at most, at least 1; null leaves texts whole.</param>
    /// <param name="minTokens">A rest of fewer tokens than this is left out, unless it is the whole text; at least 0.</param>
    /// <param name="split">Whether the rest of a long text makes further pieces, or is cut off.</param>
    /// <param name="count">Tokens of a text; null counts words and punctuation marks.</param>
    public TextCutter(int? maxTokens, int minTokens, bool split, Func<string, int>? count = null)
    {
        if (maxTokens < 1)
            throw new ArgumentOutOfRangeException(nameof(maxTokens), $"maxTokens must be at least 1, got {maxTokens}");
        if (minTokens < 0 || minTokens > (maxTokens ?? int.MaxValue))
            throw new ArgumentOutOfRangeException(nameof(minTokens), $"minTokens must be in [0, {maxTokens?.ToString() ?? "..."}], got {minTokens}");
        (_most, _fewest, _split, _count) = (maxTokens ?? int.MaxValue, minTokens, split, count ?? WordsAndMarks);
    }

    /// <summary>The pieces in order; none for a text without a word.</summary>
    public IEnumerable<string> Pieces(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string rest = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        for (bool first = true; rest.Length > 0; first = false)
        {
            string piece = First(rest);
            if (!first && _count(piece) < _fewest) yield break;
            yield return piece;
            if (!_split) yield break;
            rest = rest[piece.Length..].TrimStart(' ');
        }
    }

    /// <summary>Runs of letters and digits, and every other character that is no white space.</summary>
    internal static int WordsAndMarks(string text)
    {
        int count = 0;
        bool inWord = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool word = Rune.IsLetterOrDigit(rune);
            if (word ? !inWord : !Rune.IsWhiteSpace(rune)) count++;
            inWord = word;
        }
        return count;
    }

    /// <summary>The longest beginning that has at most so many tokens and ends at a word's end.</summary>
    private string First(string text)
    {
        if (_most == int.MaxValue || (text.Length <= ShortText * _most && _count(text) <= _most)) return text;
        int[] ends = [.. Enumerable.Range(1, text.Length).Where(i => i == text.Length || text[i] == ' ')];
        int words = Largest(ends.Length, n => _count(text[..ends[n - 1]]) <= _most);
        if (words > 0) return text[..ends[words - 1]];
        int runes = Largest(ends[0], n => _count(text[..n]) <= _most);
        if (runes > 0 && char.IsHighSurrogate(text[runes - 1])) runes--;
        return text[..Math.Max(runes, char.IsHighSurrogate(text[0]) && text.Length > 1 ? 2 : 1)];
    }

    /// <summary>The largest n of [0, bound] that fits, were fitting monotonic: more words are rarely fewer tokens.</summary>
    private static int Largest(int bound, Func<int, bool> fits)
    {
        int low = 0, high = 1;
        for (; high <= bound && fits(high); high *= 2) low = high;
        high = Math.Min(high, bound + 1);
        while (high - low > 1)
        {
            int middle = low + ((high - low) / 2);
            if (fits(middle)) low = middle;
            else high = middle;
        }
        return low;
    }
}
