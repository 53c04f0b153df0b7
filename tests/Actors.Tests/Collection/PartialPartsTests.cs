using Chorus.Actors.Collection;
using Chorus.Simulation.Aggregation;
using static Chorus.Actors.Collection.CollectorProtocol;

namespace Chorus.Actors.Tests.Collection;

public sealed class PartialPartsTests
{
    private const int Length = (2 * PartialParts.Numbers) + 5;

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(PartialParts.Numbers, 1)]
    [InlineData(PartialParts.Numbers + 1, 2)]
    [InlineData(Length, 3)]
    public void Given_a_length_When_cut_Then_the_parts_are_all_of_it_and_overlap_nowhere(int length, int parts)
    {
        Assert.Equal(parts, PartialParts.Of(length));
        Assert.Equal(Enumerable.Range(0, length), Enumerable.Range(0, parts).SelectMany(p => Enumerable.Range(0, length).ToArray()[PartialParts.RangeOf(p, length)]));
    }

    [Fact]
    public void Given_parts_doubled_reordered_and_of_others_When_taken_Then_the_whole_is_each_once()
    {
        long[] sum = [.. Enumerable.Range(0, Length).Select(i => (long)i * i)];
        PartialSum Part(int i) => new("run", 1, "c/0", [new(3, 1)], sum[PartialParts.RangeOf(i, Length)], new ClientDigest(7, 5), VoteTally.None, i, 3);
        var parts = new PartialParts("c/0", Length);
        Assert.Null(parts.Take(Part(1)));
        Assert.Null(parts.Take(Part(0) with { Collector = "c/1" }));
        Assert.Null(parts.Take(Part(0) with { Parts = 2 }));
        Assert.Null(parts.Take(Part(0) with { Sum = [1] }));
        Assert.Equal(0, parts.Next);
        Assert.Null(parts.Take(Part(0)));
        Assert.Null(parts.Take(Part(0)));
        Assert.Null(parts.Take(Part(1)));
        Assert.Equal(2, parts.Next);
        var whole = parts.Take(Part(2))!;
        Assert.Equal(sum, whole.Sum);
        Assert.Equal((0, 1), (whole.Part, whole.Parts));
    }

    [Fact]
    public void Given_a_part_of_another_sum_under_the_same_name_When_taken_Then_it_begins_again()
    {
        PartialSum Part(int i, int clients) => new("run", 1, "c/0", [new(3, 1)], new long[i == 2 ? 5 : PartialParts.Numbers], new ClientDigest(clients, 5), VoteTally.None, i, 3);
        var parts = new PartialParts("c/0", Length);
        parts.Take(Part(0, 7));
        Assert.Null(parts.Take(Part(1, 8)));
        Assert.Equal(0, parts.Next);
        for (var i = 0; i < 2; i++)
            Assert.Null(parts.Take(Part(i, 8)));
        Assert.Equal(8, parts.Take(Part(2, 8))!.Clients.Count);
    }
}
