using System.Collections.Immutable;
using Chorus.Simulation.Popri;

namespace Chorus.Simulation.Tests.Popri;

public class FewShotPromptsTests
{
    [Fact]
    public void Given_a_seed_When_drawn_twice_Then_the_same_and_more_prompts_keep_the_first()
    {
        var few = FewShotPrompts.Draw(50, 4, 3, 7, 2);
        var more = FewShotPrompts.Draw(50, 9, 3, 7, 2);
        for (int p = 0; p < 4; p++)
            Assert.Equal(few[p].AsEnumerable(), more[p].AsEnumerable());
        Assert.NotEqual(few.SelectMany(p => p), FewShotPrompts.Draw(50, 4, 3, 7, 3).SelectMany(p => p));
        Assert.NotEqual(few.SelectMany(p => p), FewShotPrompts.Draw(50, 4, 3, 8, 2).SelectMany(p => p));
    }

    [Fact]
    public void Given_any_public_set_When_drawn_Then_indices_are_in_it_and_distinct_within_a_prompt()
    {
        foreach (ImmutableArray<int> prompt in FewShotPrompts.Draw(5, 200, 5, 1, 0))
            Assert.Equal([0, 1, 2, 3, 4], prompt.Order());
        var seen = FewShotPrompts.Draw(20, 2000, 3, 1, 0);
        Assert.All(seen, p => Assert.Equal(3, p.Distinct().Count()));
        // 6,000 draws over 20 texts: 300 each, deviation about 16.
        foreach (var text in seen.SelectMany(p => p).CountBy(i => i))
            Assert.InRange(text.Value, 220, 380);
    }

    [Theory]
    [InlineData(3, 1, 4)]
    [InlineData(3, 1, 0)]
    [InlineData(3, 0, 1)]
    public void Given_numbers_out_of_range_When_drawn_Then_refused(int texts, int prompts, int shots) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => FewShotPrompts.Draw(texts, prompts, shots, 0, 0));
}
