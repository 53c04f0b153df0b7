using Chorus.Actors.Evaluation;

namespace Chorus.Actors.Tests.Evaluation;

public sealed class TextDrawTests
{
    private static readonly string[] Texts = [.. Enumerable.Range(0, 1000).Select(i => $"text {i:000}")];

    [Fact]
    public void Given_fewer_than_there_are_When_drawn_Then_so_many_different_ones_come_in_their_order_by_the_seed()
    {
        var drawn = TextDraw.Of(Texts, 250, 7);
        Assert.Equal(250, drawn.Distinct().Count());
        Assert.Equal(drawn.Order(StringComparer.Ordinal), drawn);
        Assert.Equal(drawn, TextDraw.Of(Texts, 250, 7));
        Assert.NotEqual(drawn, TextDraw.Of(Texts, 250, 8));
    }

    // Not the first ones: a quarter of the drawn ones lies in each quarter, within five standard deviations of a draw without putting back.
    [Fact]
    public void Given_many_seeds_When_drawn_Then_all_places_come_up_alike()
    {
        var counts = new int[4];
        for (ulong seed = 0; seed < 40; seed++)
        {
            foreach (var text in TextDraw.Of(Texts, 100, seed))
                counts[Array.IndexOf(Texts, text) / 250]++;
        }
        Assert.All(counts, c => Assert.InRange(c, 1000 - (5 * 26), 1000 + (5 * 26)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(5000)]
    public void Given_no_limit_or_one_that_is_not_reached_When_drawn_Then_all_come(int count) => Assert.Same(Texts, TextDraw.Of(Texts, count, 1));
}
