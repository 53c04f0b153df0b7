using System.Text;

namespace Chorus.Gpu.Generation;

/// <summary>One sample in the making.</summary>
internal sealed class SampledRow(int prompt, int sample)
{
    public int Prompt => prompt;

    public int Sample => sample;

    public List<int> Tokens { get; } = [];

    public bool Ended { get; private set; }

    public string? StoppedBy { get; private set; }

    public bool Finished => Ended || StoppedBy is not null;

    /// <summary>Takes the next token, unless the sample has finished.</summary>
    public void Take(int token, TextEnds ends)
    {
        if (Finished)
            return;
        Tokens.Add(token);
        Ended = ends.IsEnd(token);
        if (!Ended)
            StoppedBy = ends.StopString(Tokens);
    }

    /// <summary>Back to the beginning, for a batch that is made again.</summary>
    public void Clear()
    {
        Tokens.Clear();
        (Ended, StoppedBy) = (false, null);
    }
}

/// <summary>What finishes a text: end tokens and stop strings.</summary>
/// <param name="endTokens">Ids.</param>
/// <param name="stopStrings">None empty.</param>
/// <param name="decode">From ids to text; may be null where there are no stop strings.</param>
internal sealed class TextEnds(IReadOnlyCollection<int> endTokens, IReadOnlyCollection<string> stopStrings, Func<int[], string>? decode)
{
    // A token has a byte at least, so the stop string that the last token completes lies in so many tokens.
    private readonly int _tail = stopStrings.Count == 0 ? 0 : stopStrings.Max(Encoding.UTF8.GetByteCount);

    public bool IsEnd(int token) => endTokens.Contains(token);

    /// <summary>The stop string in the text of the last tokens, or null.</summary>
    public string? StopString(List<int> tokens)
    {
        if (_tail == 0)
            return null;
        // Three tokens more, so that a character cut at the window's beginning does not spoil the one behind it.
        var text = decode!([.. tokens.Skip(tokens.Count - _tail - 3)]);
        return stopStrings.FirstOrDefault(s => text.Contains(s, StringComparison.Ordinal));
    }
}
