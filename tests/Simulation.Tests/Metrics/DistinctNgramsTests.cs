using Chorus.Simulation.Metrics;
using CsCheck;

namespace Chorus.Simulation.Tests.Metrics;

public class DistinctNgramsTests
{
    [Fact]
    public void Given_texts_When_counted_Then_the_shares_are_those_made_by_hand()
    {
        string[] texts = ["The cat saw the cat.", "A cat, the cat!"];
        Assert.Equal(4 / 9.0, DistinctNgrams.Share(texts, 1));      // the cat saw a
        Assert.Equal(5 / 7.0, DistinctNgrams.Share(texts, 2));      // the-cat cat-saw saw-the a-cat cat-the; the-cat three times
        Assert.Equal(1.0, DistinctNgrams.Share(texts, 4));
        Assert.Null(DistinctNgrams.Share(["one two", ""], 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => DistinctNgrams.Share(texts, 5));
    }

    [Fact]
    public void Given_any_texts_When_counted_Then_as_a_set_of_strings_gives()
    {
        Gen<string> text = Gen.Int[0, 4].Array[0, 10].Select(words => string.Join(' ', words));
        Gen.Select(text.Array[1, 6], Gen.Int[1, 4]).Sample((texts, n) =>
        {
            string[] runs = [.. texts.SelectMany(t =>
            {
                string[] words = t.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                return Enumerable.Range(0, Math.Max(0, words.Length - n + 1)).Select(i => string.Join(' ', words[i..(i + n)]));
            })];
            Assert.Equal(runs.Length == 0 ? null : (double)runs.Distinct().Count() / runs.Length, DistinctNgrams.Share(texts, n));
        }, iter: 500);
    }

    [Fact]
    public void Given_every_text_twice_When_counted_Then_the_share_halves() =>
        Assert.Equal(DistinctNgrams.Share(["a b c", "d e"], 2) / 2, DistinctNgrams.Share(["a b c", "d e", "a b c", "d e"], 2));
}
