using Chorus.Simulation.Privacy;
using Chorus.Simulation.PrivateEvolution;
using CsCheck;

namespace Chorus.Simulation.Tests.PrivateEvolution;

public class ParentSelectionTests
{
    [Fact]
    public void Given_bins_When_selected_by_rank_Then_the_fullest_come_once_each_and_equals_by_their_place() =>
        Assert.Equal([1, 2, 4], Select([1, 7, 3, -2, 3, 3], 3, EvolutionSelection.Rank, 5));

    [Fact]
    public void Given_bins_When_drawn_Then_each_comes_in_proportion_and_those_below_the_threshold_never()
    {
        int[] counts = new int[5];
        foreach (int parent in Select([1, 2, 0, 5, -4], 5, EvolutionSelection.Sample, 1.5, "one"))
            counts[parent]++;
        for (int i = 0; i < 4000; i++)
        {
            foreach (int parent in Select([1, 2, 0, 5, -4], 5, EvolutionSelection.Sample, 1.5, $"{i}"))
                counts[parent]++;
        }

        Assert.Equal(0, counts[0] + counts[2] + counts[4]);
        // 20,005 draws of probability 2/7: deviation 64; five of them.
        Assert.InRange(counts[1], 20_005 * 2 / 7 - 320, 20_005 * 2 / 7 + 320);
    }

    [Fact]
    public void Given_no_bin_above_the_threshold_When_drawn_Then_the_fullest_are_taken() =>
        Assert.Equal([0, 3], Select([1, -2, 0, 0.5, 0.2], 2, EvolutionSelection.Sample, 3));

    [Fact]
    public void Given_any_histogram_When_selected_Then_parents_are_candidates_in_order_and_the_same_again() =>
        Gen.Select(Gen.Double[-5, 20].Array[1, 40], Gen.Double[0, 10], Gen.Bool).Sample((bins, threshold, rank) =>
        {
            var how = rank ? EvolutionSelection.Rank : EvolutionSelection.Sample;
            var parents = Select(bins, Math.Max(1, bins.Length / 2), how, threshold);
            return parents.SequenceEqual(Select(bins, Math.Max(1, bins.Length / 2), how, threshold))
                && parents.SequenceEqual(parents.Order())
                && parents.All(p => p >= 0 && p < bins.Length)
                && (!rank || parents.Distinct().Count() == parents.Length);
        });

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void Given_more_parents_than_candidates_or_none_When_selected_Then_refused(int parents) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Select([1, 2, 3], parents, EvolutionSelection.Rank, 0));

    [Fact]
    public void Given_a_bin_that_is_no_number_When_selected_Then_refused() =>
        Assert.Throws<ArgumentException>(() => Select([1, double.NaN], 1, EvolutionSelection.Sample, 0));

    private static int[] Select(double[] bins, int parents, EvolutionSelection how, double threshold, string purpose = "test") =>
        [.. ParentSelection.Select(bins, parents, how, threshold, new SeededRandomSource(3, purpose))];
}
