using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Tests.Popri;

/// <summary>Texts of four topics, each about a direction of its own; clients have other shares of them than the candidates.</summary>
public class ReleasedMeanTests
{
    private const int Dimension = 24, Clients = 800, Texts = 6;
    private static readonly double[] Public = [0.55, 0.3, 0.1, 0.05], Private = [0.1, 0.15, 0.3, 0.45];

    [Theory]
    [InlineData(0, 1, 0.08)]
    [InlineData(5, 1, 0.08)]
    [InlineData(12, 6, 0.1)]   // six looks at 2.4 times the noise
    public void Given_releases_When_texts_are_weighed_Then_topics_get_the_clients_shares(double noise, int rounds, double tolerance)
    {
        var (pool, topics) = Sample(Public, 3000, 1);
        double[] weights = MomentTilt.Weights(Released(noise, rounds).Scores(pool));
        Assert.Equal(1, weights.Sum(), 1e-12);
        for (int topic = 0; topic < Private.Length; topic++)
            Assert.InRange(topics.Zip(weights).Where(x => x.First == topic).Sum(x => x.Second), Private[topic] - tolerance, Private[topic] + tolerance);
        // Nothing but topics differs, so within one weights stay near each other: variety is kept.
        double[] within = [.. topics.Zip(weights).Where(x => x.First == 2).Select(x => x.Second)];
        Assert.True(within.Sum() * within.Sum() / within.Sum(w => w * w) > 0.6 * within.Length, $"{within.Sum() * within.Sum() / within.Sum(w => w * w)} of {within.Length}");
    }

    [Fact]
    public void Given_more_noise_When_texts_are_weighed_Then_weights_move_less_and_under_nothing_but_noise_hardly()
    {
        var (pool, topics) = Sample(Public, 1500, 2);
        double Last(double noise) => topics.Zip(MomentTilt.Weights(Released(noise, 1).Scores(pool))).Where(x => x.First == 3).Sum(x => x.Second);
        double[] shares = [Last(1), Last(100), Last(1e6)];
        Assert.True(shares[0] > shares[1] && shares[1] > shares[2], string.Join(' ', shares));
        Assert.InRange(shares[2], 0.03, 0.08);
    }

    [Fact]
    public void Given_a_release_When_new_texts_are_scored_Then_nothing_hangs_on_which_pool_they_are_in()
    {
        var (pool, _) = Sample(Private, 400, 3);
        double[] weights = MomentTilt.Weights(Released(1, 1).Scores(pool));
        // A pool that has the clients' shares already has its mean where it is wanted.
        Assert.True(1 / weights.Sum(w => w * w) > 300, $"{1 / weights.Sum(w => w * w)}");
    }

    [Fact]
    public void Given_scores_When_drawn_Then_each_text_comes_as_often_as_its_weight_says_up_or_down_to_a_whole_number()
    {
        double[] scores = [Math.Log(0.5), Math.Log(0.3), Math.Log(0.2), -1000];
        foreach (double start in new[] { 0, 0.37, 0.9999 })
        {
            int[] drawn = ReleasedMean.Draw(scores, 7, start);
            Assert.Equal(7, drawn.Length);
            Assert.InRange(drawn.Count(k => k == 0), 3, 4);
            Assert.InRange(drawn.Count(k => k == 1), 2, 3);
            Assert.InRange(drawn.Count(k => k == 2), 1, 2);
            Assert.DoesNotContain(3, drawn);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => ReleasedMean.Draw(scores, 7, 1));
    }

    [Fact]
    public void Given_what_says_nothing_When_weighed_Then_all_are_equal_and_what_does_not_fit_is_refused()
    {
        var (pool, _) = Sample(Public, 20, 4);
        var mean = new ReleasedMean(Dimension);
        Assert.All(mean.Scores(pool), s => Assert.Equal(0, s));
        Assert.Throws<ArgumentException>(() => mean.Add(new SubspaceScorer(pool), new double[Dimension], 1, 10)); // votes of direction
        var scorer = new SubspaceScorer(pool, shift: true);
        Assert.Throws<ArgumentException>(() => mean.Add(scorer, new double[scorer.Rank + 1], 1, 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => mean.Add(scorer, new double[scorer.Rank], 1, 0));
        Assert.Throws<ArgumentException>(() => new ReleasedMean(Dimension + 1).Add(scorer, new double[scorer.Rank], 1, 10));
    }

    private static ReleasedMean Released(double noise, int rounds)
    {
        var mean = new ReleasedMean(Dimension);
        for (int round = 0; round < rounds; round++)
        {
            var scorer = new SubspaceScorer(Sample(Public, 400, 100 + round).Texts, 10, shift: true);
            var (sum, vote) = (new long[scorer.Rank], new double[scorer.Rank]);
            for (int client = 0; client < Clients; client++)
            {
                scorer.Vote(Sample(Private, Texts, 1000 + client).Texts.Values.Span, vote);
                FixedPointGrid.AddRounded(vote, sum);
            }

            if (noise > 0)
                new DiscreteGaussian(Math.ScaleB(noise, FixedPointGrid.FractionBits), new SeededRandomSource(7, $"{round}")).AddTo(sum);
            mean.Add(scorer, FixedPointGrid.ToDouble(sum), noise, Clients);
        }

        return mean;
    }

    /// <summary>Texts about the directions of their topics.</summary>
    private static (EmbeddingMatrix Texts, int[] Topics) Sample(double[] shares, int count, int seed)
    {
        var random = new Random(seed);
        var (values, topics) = (new float[count * Dimension], new int[count]);
        for (int i = 0; i < count; i++)
        {
            double at = random.NextDouble();
            while ((at -= shares[topics[i]]) > 0 && topics[i] < shares.Length - 1)
                topics[i]++;
            for (int j = 0; j < Dimension; j++)
                values[(i * Dimension) + j] = (float)((j == topics[i] ? 1 : 0) + (j == 20 ? 1 : 0) + (0.2 * (random.NextDouble() - 0.5)));
        }

        return (new EmbeddingMatrix(count, Dimension, values), topics);
    }
}
