using Chorus.Simulation.Data.Import;
using CsCheck;

namespace Chorus.Simulation.Tests.Data.Import;

public class TextCutterTests
{
    [Fact]
    public void Given_a_long_text_When_split_or_cut_Then_pieces_end_with_words_and_white_space_is_single_spaces()
    {
        const string text = "  One two,\n\nthree four\tfive.  Six ";
        Assert.Equal(["One two,", "three four five", ". Six"], new TextCutter(3, 0, split: true).Pieces("One two, three four five . Six"));
        Assert.Equal(["One two,", "three four", "five. Six"], new TextCutter(3, 0, split: true).Pieces(text));
        Assert.Equal(["One two,"], new TextCutter(3, 0, split: false).Pieces(text));
        Assert.Equal(["One two, three four five. Six"], new TextCutter(null, 0, split: true).Pieces(text));
        Assert.Equal(["One two, three four", "five. Six"], new TextCutter(5, 3, split: true).Pieces(text));
        Assert.Equal(["One two, three four five."], new TextCutter(7, 3, split: true).Pieces(text));   // the rest, Six, is too short
        Assert.Equal(["Hi"], new TextCutter(7, 3, split: true).Pieces("Hi"));                           // the whole text is not
        Assert.Empty(new TextCutter(7, 3, split: true).Pieces(" \n "));
    }

    [Fact]
    public void Given_words_and_marks_When_counted_Then_as_by_hand()
    {
        Assert.Equal(7, TextCutter.WordsAndMarks("It's 2024, no?"));   // It ' s 2024 , no ?
        Assert.Equal(2, TextCutter.WordsAndMarks(" naïve 😀 "));
    }

    [Fact]
    public void Given_any_text_When_split_Then_nothing_is_lost_nothing_is_too_long_and_no_piece_could_take_another_word()
    {
        Gen<string> word = Gen.OneOf(Gen.String[Gen.Char['a', 'c'], 1, 12], Gen.Int[0, 3].Select(i => new[] { ".", "é", "😀😀😀", "--" }[i]));
        // Tokens of three characters or less: long words are several, and no cut may fall inside of a surrogate pair.
        static int Count(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Sum(w => (w.Length + 2) / 3);
        Gen.Select(word.Array[0, 30], Gen.Int[1, 9]).Sample((words, most) =>
        {
            string text = string.Join(' ', words);
            string[] pieces = [.. new TextCutter(most, 0, split: true, Count).Pieces(text)];
            Assert.Equal(text.Replace(" ", "", StringComparison.Ordinal), string.Concat(pieces).Replace(" ", "", StringComparison.Ordinal));
            Assert.All(pieces, p => Assert.True(Count(p) <= most, p));
            Assert.All(pieces, p => Assert.False(char.IsLowSurrogate(p[0]) || char.IsHighSurrogate(p[^1]), p));
            Assert.Equal(pieces.Take(1), new TextCutter(most, 0, split: false, Count).Pieces(text));
            string rest = text;
            foreach (string piece in pieces)
            {
                Assert.StartsWith(piece, rest, StringComparison.Ordinal);
                string after = rest[piece.Length..];
                if (after.StartsWith(' '))   // the piece ends with a word: the next would have been too many
                    Assert.True(Count(piece + " " + after.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]) > most);
                rest = after.TrimStart(' ');
            }
        }, iter: 2_000);
    }

    [Fact]
    public void Given_limits_that_cannot_be_When_made_Then_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCutter(0, 0, true));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCutter(5, 6, true));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCutter(5, -1, true));
    }
}
