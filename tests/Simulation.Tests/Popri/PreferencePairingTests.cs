using Chorus.Simulation.Popri;
using CsCheck;

namespace Chorus.Simulation.Tests.Popri;

public class PreferencePairingTests
{
    [Fact]
    public void Given_scores_When_ranked_Then_best_meets_the_asked_rank_within_each_prompt()
    {
        double[] scores = [3, 9, 5, 7, /* prompt 1 */ -1, -4, -2, -3];
        Assert.Equal<PreferencePair>([new(0, 1, 2), new(1, 4, 7)], [.. PreferencePairing.Rank(scores, 2, 4, 3)]);
        Assert.Equal<PreferencePair>([new(0, 1, 3), new(1, 4, 6)], [.. PreferencePairing.Rank(scores, 2, 4, 2)]);
    }

    [Fact]
    public void Given_equal_scores_When_ranked_Then_the_lower_index_wins_and_there_is_still_a_pair()
    {
        Assert.Equal<PreferencePair>([new(0, 0, 2)], [.. PreferencePairing.Rank([1, 1, 1], 1, 3, 3)]);
        Assert.Equal<PreferencePair>([new(0, 1, 3)], [.. PreferencePairing.Rank([0, 2, 0, 2], 1, 4, 2)]);
        Assert.Equal<PreferencePair>([new(0, 0, 1)], [.. PreferencePairing.Rank([-0.0, 0.0], 1, 2, 2)]);
    }

    [Theory]
    [InlineData(1, "[2, 10]")]
    [InlineData(11, "[2, 10]")]
    [InlineData(0, "got 0")]
    public void Given_a_rank_out_of_range_When_ranked_Then_the_range_is_told(int rank, string told)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => PreferencePairing.Rank(new double[10], 1, 10, rank));
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_scores_of_another_length_or_not_finite_When_ranked_Then_refused()
    {
        Assert.Throws<ArgumentException>(() => PreferencePairing.Rank(new double[9], 1, 10, 5));
        Assert.Throws<ArgumentException>(() => PreferencePairing.Rank([1, double.NaN], 1, 2, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => PreferencePairing.Rank([], 0, 2, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => PreferencePairing.Rank([1], 1, 1, 2));
    }

    [Fact]
    public void Given_any_scores_When_ranked_Then_exactly_rank_minus_one_samples_come_before_the_rejected()
    {
        Gen.Select(Gen.Int[1, 5], Gen.Int[2, 9]).SelectMany(s => Gen.Select(Gen.Const(s), Gen.Int[2, s.Item2], Gen.Int[0, 4].Array[s.Item1 * s.Item2]))
            .Sample(x =>
            {
                ((int prompts, int samples), int rank, int[] ints) = x;
                double[] scores = [.. ints.Select(i => (double)i)];
                foreach (PreferencePair pair in PreferencePairing.Rank(scores, prompts, samples, rank))
                {
                    bool Before(int a, int b) => scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
                    int[] of = [.. Enumerable.Range(pair.Prompt * samples, samples)];
                    Assert.Equal(0, of.Count(k => Before(k, pair.Chosen)));
                    Assert.Equal(rank - 1, of.Count(k => Before(k, pair.Rejected)));
                }
            });
    }

    [Fact]
    public void Given_pairs_When_the_widest_are_kept_Then_those_with_the_largest_margins_stay_in_their_order()
    {
        PreferencePair[] pairs = [new(0, 0, 1), new(1, 3, 2), new(2, 4, 5), new(3, 6, 7)];
        double[] scores = [9, 1, 0, 0.5, 3, 1, 5, 0];   // margins 8, 0.5, 2, 5
        Assert.Equal([0, 3], PreferencePairing.Widest([.. pairs], scores, 0.5).Select(p => p.Prompt));
        Assert.Equal([0], PreferencePairing.Widest([.. pairs], scores, 1e-9).Select(p => p.Prompt));
        Assert.Equal(pairs, PreferencePairing.Widest([.. pairs], scores, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PreferencePairing.Widest([.. pairs], scores, 0));
    }

    [Fact]
    public void Given_pairs_When_compared_without_noise_Then_ties_do_not_count_as_kept()
    {
        PreferencePair[] pairs = [new(0, 0, 1), new(1, 3, 2), new(2, 4, 5), new(3, 6, 7)];
        Assert.Equal(0.5, PreferencePairing.KeptRight(pairs, [2, 1, 0, 5, 1, 1, 0, 3]));
        Assert.Throws<ArgumentException>(() => PreferencePairing.KeptRight([], [1]));
    }
}
