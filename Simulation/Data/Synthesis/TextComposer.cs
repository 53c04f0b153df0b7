using System.Text;

namespace Chorus.Simulation.Data.Synthesis;

/// <summary>Writes texts from a grammar: an opening of the style, frames of the topic, a closing of the style.</summary>
/// <param name="grammar">Shared and immutable.</param>
/// <param name="houseStyles">Running totals of the population's style weights, for the habits that do not keep to the text's style.</param>
internal sealed class TextComposer(Grammar grammar, int[] houseStyles)
{
    /// <summary>Frames are added until a text has this many words or <see cref="EnoughCharacters"/>.</summary>
    private const int EnoughWords = 21;

    /// <summary>Counts beside words because long words are rare ones, which take several tokens each.</summary>
    private const int EnoughCharacters = 120;

    /// <summary>A frame or closing that would pass this is left out: 98 in 100 texts or more are then below 64 tokens of a vocabulary of 2,048.</summary>
    private const int LongestText = 190;

    /// <summary>Percent of texts that end with a closing, where it fits.</summary>
    private const int ClosedPercent = 75;

    private readonly StringBuilder _text = new();

    public string Write(int topic, int style, ref KeyedRandom random)
    {
        _text.Clear();
        Add(Draw(grammar.Openings[style], ref random), topic, style, false, ref random);
        int last = -1;
        do
        {
            int length = _text.Length, body = random.Pick(grammar.Bodies[topic].Cumulative);
            if (body == last) continue;
            _text.Append(' ');
            Add(grammar.Bodies[topic].Options[body], topic, style, false, ref random);
            if (_text.Length > LongestText) _text.Length = length;
            else last = body;
        } while (Words() < EnoughWords && _text.Length < EnoughCharacters);
        if (random.Below(100) < ClosedPercent)
        {
            int length = _text.Length;
            _text.Append(' ');
            Add(Draw(grammar.Closings[style], ref random), topic, style, false, ref random);
            if (_text.Length > LongestText) _text.Length = length;
        }
        return _text.ToString();
    }

    private static Template Draw(Choice choice, ref KeyedRandom random) => choice.Options[random.Pick(choice.Cumulative)];

    private void Add(Template template, int topic, int style, bool capital, ref KeyedRandom random)
    {
        int start = _text.Length;
        foreach (Piece piece in template.Pieces)
        {
            _text.Append(piece.Literal);
            if (piece.Slot < 0) continue;
            if (piece.Slot < grammar.Habits.Length)
            {
                int kept = random.Below(100) < Mixtures.StyleFidelity ? style : random.Pick(houseStyles);
                Add(grammar.Habits[piece.Slot][kept], topic, style, piece.Capital, ref random);
            }
            else
            {
                Add(Draw(grammar.Slots[topic][piece.Slot - grammar.Habits.Length], ref random), topic, style, piece.Capital, ref random);
            }
        }
        if (capital) _text[start] = char.ToUpperInvariant(_text[start]);
    }

    private int Words()
    {
        int spaces = 0;
        foreach (ReadOnlyMemory<char> chunk in _text.GetChunks()) spaces += chunk.Span.Count(' ');
        return spaces + 1;
    }
}
