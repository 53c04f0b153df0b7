using System.Buffers;
using System.Text;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>A token beside the model's vocabulary, found in texts before they are split.</summary>
/// <param name="SingleWord">Only where no letter or digit touches it.</param>
/// <param name="TakesLeft">It takes the white space before it.</param>
/// <param name="TakesRight">It takes the white space after it.</param>
/// <param name="Normalized">It is looked for in the normalised text.</param>
/// <param name="Special">It steers the model, and is left out of decoded text on request.</param>
internal sealed record AddedToken(string Content, int Id, bool SingleWord, bool TakesLeft, bool TakesRight, bool Normalized, bool Special)
{
    internal static AddedToken Read(ComponentJson json, int id)
    {
        var special = json.Flag("special", false);
        return new AddedToken(
            json.RequiredText("content"), id, json.Flag("single_word", false), json.Flag("lstrip", false), json.Flag("rstrip", false),
            json.Flag("normalized", !special), special);
    }

    internal static AddedToken OfSpecial(string content, int id) => new(content, id, false, false, false, Normalized: false, Special: true);
}

/// <summary>Finds added tokens in a text: the leftmost first, the longest of those that begin at one place.</summary>
internal sealed class AddedTokens
{
    private readonly List<(Dictionary<char, int> Next, AddedToken? Token)> _trie = [([], null)];
    private readonly SearchValues<char> _first;

    /// <param name="tokens">Each with the spelling to look for.</param>
    internal AddedTokens(params IEnumerable<(string Spelling, AddedToken Token)> tokens)
    {
        foreach (var (spelling, token) in tokens.Where(t => t.Spelling.Length > 0))
        {
            var node = 0;
            foreach (var c in spelling)
            {
                if (!_trie[node].Next.TryGetValue(c, out var next))
                {
                    _trie[node].Next[c] = next = _trie.Count;
                    _trie.Add(([], null));
                }
                node = next;
            }
            _trie[node] = (_trie[node].Next, _trie[node].Token ?? token);
        }
        _first = SearchValues.Create([.. _trie[0].Next.Keys]);
    }

    /// <summary>The text in order, as tokens and the texts between them, none empty.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="readSpecial">Off: special tokens are not looked for.</param>
    internal IEnumerable<(int Start, int End, AddedToken? Token)> Split(string text, bool readSpecial)
    {
        var end = 0; // of what was given back
        for (var at = 0; (at = Next(text, at)) >= 0;)
        {
            if (Longest(text, at, readSpecial) is not { } found)
            {
                at++;
                continue;
            }
            var (token, stop) = found;
            var start = at;
            at = stop;
            if (token.SingleWord && (TouchesWord(text, start, before: true) || TouchesWord(text, stop, before: false)))
                continue;
            if (token.TakesLeft)
                start = Math.Max(end, text.AsSpan(0, start).TrimEnd().Length);
            if (token.TakesRight)
                stop = text.Length - text.AsSpan(stop).TrimStart().Length;
            if (start > end)
                yield return (end, start, null);
            yield return (start, stop, token);
            end = stop;
        }
        if (end < text.Length)
            yield return (end, text.Length, null);
    }

    private int Next(string text, int at)
    {
        if (at >= text.Length)
            return -1;
        var found = text.AsSpan(at).IndexOfAny(_first);
        return found < 0 ? -1 : at + found;
    }

    private (AddedToken Token, int End)? Longest(string text, int at, bool readSpecial)
    {
        (AddedToken, int)? longest = null;
        var node = 0;
        while (at < text.Length && _trie[node].Next.TryGetValue(text[at], out node))
        {
            at++;
            if (_trie[node].Token is { } token && (readSpecial || !token.Special))
                longest = (token, at);
        }
        return longest;
    }

    private static bool TouchesWord(string text, int at, bool before)
    {
        Rune rune;
        if (before)
            return Rune.DecodeLastFromUtf16(text.AsSpan(0, at), out rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);
        return Rune.DecodeFromUtf16(text.AsSpan(at), out rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);
    }
}
