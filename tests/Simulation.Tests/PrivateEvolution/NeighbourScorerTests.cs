using System.Numerics;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using Chorus.Simulation.PrivateEvolution;
using Chorus.Simulation.Tests.Popri;
using CsCheck;

namespace Chorus.Simulation.Tests.PrivateEvolution;

public class NeighbourScorerTests
{
    [Fact]
    public void Given_texts_When_voting_Then_each_counts_for_its_nearest_candidate_and_the_histogram_has_norm_one()
    {
        var scorer = new NeighbourScorer(new EmbeddingMatrix(3, 2, [5, 0, 0, 0.1f, -1, -1]));
        var vote = new double[3];
        // Two texts at the first candidate whatever their length, one at the third; none at the second.
        Assert.Equal(VoteKind.Counted, scorer.Vote([1, 0.2f, 100, 1, -3, -2], vote));
        Assert.Equal(2 / Math.Sqrt(5), vote[0], 1e-9);
        Assert.Equal(0, vote[1]);
        Assert.Equal(1 / Math.Sqrt(5), vote[2], 1e-9);
        Assert.Equal([1, 2, 3], scorer.Scores([1, 2, 3]));
    }

    [Fact]
    public void Given_a_plain_search_When_compared_Then_the_votes_are_the_same()
    {
        EmbeddingMatrix candidates = CandidateScorerTests.Random(60, 12, 7);
        var scorer = new NeighbourScorer(candidates);
        for (int client = 0; client < 20; client++)
        {
            EmbeddingMatrix texts = CandidateScorerTests.Random(1 + client, 12, 100 + client);
            var expected = new double[60];
            for (int t = 0; t < texts.Rows; t++)
            {
                double[] distances = [.. Enumerable.Range(0, 60).Select(k => Distance(candidates.Row(k).ToArray(), texts.Row(t).ToArray()))];
                expected[Array.IndexOf(distances, distances.Min())]++;
            }

            double norm = Math.Sqrt(expected.Sum(h => h * h));
            var vote = new double[60];
            Assert.Equal(VoteKind.Counted, scorer.Vote(texts.Values.Span, vote));
            for (int k = 0; k < vote.Length; k++)
                Assert.Equal(expected[k] / norm, vote[k], 1e-9);
        }
    }

    [Fact]
    public void Given_what_is_near_to_nothing_When_voting_Then_the_vote_is_zero_and_says_why()
    {
        var scorer = new NeighbourScorer(new EmbeddingMatrix(2, 2, [1, 0, 0, 1]));
        double[] vote = [9, 9];
        Assert.Equal(VoteKind.NoText, scorer.Vote([], vote));
        Assert.Equal([0, 0], vote);
        Assert.Equal(VoteKind.ZeroSpread, scorer.Vote([0, 0], vote));
        Assert.Equal(VoteKind.NotFinite, scorer.Vote([1, 0, float.NaN, 1], vote));
        Assert.Equal([0, 0], vote);
        Assert.Equal(VoteKind.Counted, scorer.Vote([0, 0, 1, 0], vote)); // a text of nothing adds nothing
        Assert.Throws<ArgumentException>(() => scorer.Vote([1, 0, 1], new double[2]));
        Assert.Throws<ArgumentException>(() => scorer.Vote([1, 0], new double[3]));
        Assert.Throws<ArgumentException>(() => new NeighbourScorer(new EmbeddingMatrix(1, 2, [float.NaN, 0])));
    }

    // The release's noise is for a sensitivity of 1: no client may move a sum by more, whatever it holds.
    [Fact]
    public void Given_any_texts_When_rounded_onto_the_grid_Then_the_norm_is_at_most_one()
    {
        EmbeddingMatrix candidates = CandidateScorerTests.Random(9, 3, 8);
        var scorer = new NeighbourScorer(candidates);
        double longest = 0;
        Gen.Single[-1e3f, 1e3f].Array[3].Array[1, 400].Sample(texts =>
        {
            double[] vote = new double[9];
            var grid = new long[9];
            scorer.Vote([.. texts.SelectMany(t => t)], vote);
            FixedPointGrid.Round(vote, grid);
            BigInteger square = grid.Aggregate(BigInteger.Zero, (sum, g) => sum + (BigInteger.Pow(g, 2)));
            longest = Math.Max(longest, (double)square / Math.ScaleB(1, 48));
            return square <= BigInteger.Pow(2, 48);
        });
        Assert.True(longest > 0.999999, $"the longest vote had a squared norm of {longest} only");
    }

    private static double Distance(float[] a, float[] b)
    {
        double[] x = Unit(a), y = Unit(b);
        return x.Zip(y, (p, q) => (p - q) * (p - q)).Sum();
    }

    private static double[] Unit(float[] v)
    {
        double norm = Math.Sqrt(v.Sum(x => (double)x * x));
        return [.. v.Select(x => x / norm)];
    }
}
