namespace Chorus.Simulation.Data;

/// <summary>Reads a text word by word: runs of letters, digits, apostrophes and hyphens, without those two at their ends.</summary>
/// <param name="text">The text; to be given in lower case where case is not to tell words apart.</param>
internal ref struct WordReader(ReadOnlySpan<char> text)
{
    private ReadOnlySpan<char> _rest = text;

    /// <summary>Takes the next word; false at the end of the text.</summary>
    public bool Next(out ReadOnlySpan<char> word)
    {
        while (!_rest.IsEmpty)
        {
            int from = 0;
            while (from < _rest.Length && !IsPart(_rest[from])) from++;
            int to = from;
            while (to < _rest.Length && IsPart(_rest[to])) to++;
            word = _rest[from..to].Trim("'-");
            _rest = _rest[to..];
            if (!word.IsEmpty) return true;
        }
        word = default;
        return false;
    }

    private static bool IsPart(char c) => char.IsLetterOrDigit(c) || c is '\'' or '-';
}
