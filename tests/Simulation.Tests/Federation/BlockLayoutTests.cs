using Chorus.Simulation.Federation;
using CsCheck;

namespace Chorus.Simulation.Tests.Federation;

public class BlockLayoutTests
{
    [Fact]
    public void Given_any_layout_When_cut_Then_every_client_lies_in_the_range_of_its_block_and_in_no_other()
    {
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 320]).Sample((clients, size) =>
        {
            var layout = new BlockLayout(clients, size);
            int next = 0;
            for (int block = 0; block < layout.Blocks; block++)
            {
                (int first, int count) = layout.RangeOf(block);
                Assert.Equal(next, first);
                Assert.InRange(count, 1, size);
                for (int client = first; client < first + count; client++)
                    Assert.Equal(block, layout.BlockOf(client));
                next = first + count;
            }

            Assert.Equal(clients, next);
        });
    }

    [Fact]
    public void Given_numbers_out_of_range_When_used_Then_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockLayout(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockLayout(1, 0));
        var layout = new BlockLayout(10, 4);
        Assert.Equal((8, 2), layout.RangeOf(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => layout.RangeOf(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => layout.BlockOf(10));
        Assert.Equal(1, new BlockLayout(int.MaxValue, int.MaxValue).Blocks);
    }
}
