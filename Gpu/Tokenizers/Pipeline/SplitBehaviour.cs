namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>What becomes of the places where a text is split.</summary>
internal enum SplitBehaviour
{
    /// <summary>They are dropped.</summary>
    Removed,

    /// <summary>Each is a piece of its own.</summary>
    Isolated,

    /// <summary>Each ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each opens the piece after it.</summary>
    MergedWithNext,

    /// <summary>Neighbours among them form one piece.</summary>
    Contiguous,
}

/// <summary>Cuts a text at matches, as Hugging Face's tokenizers do.</summary>
internal static class SplitBehaviours
{
    /// <param name="length">Of the text.</param>
    /// <param name="matches">In order, none empty, none overlapping.</param>
    /// <param name="behaviour">What becomes of the matches.</param>
    /// <param name="invert">Take what lies between the matches for the matches.</param>
    /// <returns>The pieces in order, none empty.</returns>
    internal static List<Range> Cut(int length, List<Range> matches, SplitBehaviour behaviour, bool invert)
    {
        var parts = new List<(int Start, int End, bool IsMatch)>((2 * matches.Count) + 1);
        var end = 0;
        foreach (var match in matches)
        {
            if (match.Start.Value > end)
                parts.Add((end, match.Start.Value, invert));
            parts.Add((match.Start.Value, match.End.Value, !invert));
            end = match.End.Value;
        }
        if (end < length)
            parts.Add((end, length, invert));

        var pieces = new List<Range>(parts.Count);
        if (behaviour == SplitBehaviour.MergedWithNext)
        {
            // From the right, so that a match joins what follows it.
            var after = false;
            for (var i = parts.Count - 1; i >= 0; i--)
            {
                if (parts[i].IsMatch && !after && pieces.Count > 0)
                    pieces[^1] = parts[i].Start..pieces[^1].End;
                else
                    pieces.Add(parts[i].Start..parts[i].End);
                after = parts[i].IsMatch;
            }
            pieces.Reverse();
            return pieces;
        }
        var before = false;
        foreach (var part in parts)
        {
            var joins = behaviour switch
            {
                SplitBehaviour.MergedWithPrevious => part.IsMatch && !before,
                SplitBehaviour.Contiguous => part.IsMatch == before,
                _ => false,
            };
            if (joins && pieces.Count > 0)
                pieces[^1] = pieces[^1].Start..part.End;
            else if (behaviour != SplitBehaviour.Removed || !part.IsMatch)
                pieces.Add(part.Start..part.End);
            before = part.IsMatch;
        }
        return pieces;
    }
}
