namespace Chorus.Actors.Settings;

/// <summary>
/// Finds brackets of a HOCON text that do not match. Akka's parser takes a text that ends early, or whose brackets
/// close too often, for what stands before: settings would be left out in silence.
/// </summary>
internal static class HoconBrackets
{
    /// <returns>What is wrong, with its line; null where every bracket has its mate.</returns>
    public static string? Mismatch(string text)
    {
        var open = new Stack<(char Bracket, int Line)>();
        var line = 1;
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\n':
                    line++;
                    break;
                case '#':
                case '/' when text.AsSpan(i).StartsWith("//"):
                    while (i + 1 < text.Length && text[i + 1] != '\n')
                        i++;
                    break;
                case '"':
                    var (end, lines) = StringEnd(text, i);
                    if (end < 0)
                        return $"line {line}: a string that does not end";
                    (i, line) = (end, line + lines);
                    break;
                case '{' or '[':
                    open.Push((text[i], line));
                    break;
                case '}' or ']':
                    if (open.Count == 0 || open.Pop().Bracket != (text[i] == '}' ? '{' : '['))
                        return $"line {line}: a '{text[i]}' that nothing opens";
                    break;
            }
        }

        return open.Count > 0 ? $"line {open.Peek().Line}: a '{open.Peek().Bracket}' that nothing closes" : null;
    }

    /// <summary>Index of a string's last quote (-1: it has none), and the line breaks inside it.</summary>
    private static (int End, int Lines) StringEnd(string text, int from)
    {
        if (text.AsSpan(from).StartsWith("\"\"\""))
        {
            var end = text.IndexOf("\"\"\"", from + 3, StringComparison.Ordinal);
            return end < 0 ? (-1, 0) : (end + 2, text.AsSpan(from, end - from).Count('\n'));
        }

        for (var i = from + 1; i < text.Length && text[i] != '\n'; i++)
        {
            if (text[i] == '"')
                return (i, 0);
            if (text[i] == '\\')
                i++;
        }

        return (-1, 0);
    }
}
