using System.Text.Json;
using Chorus.Simulation.Popri;

namespace Chorus.Simulation.Tests.Popri;

public class PopriScoresTests
{
    [SharedFact("reference/popri_scores.json")]
    public void Given_published_numbers_When_scored_with_clipping_Then_mean_over_clients_agrees() => Compare("scores_clipped", clip: true);

    [SharedFact("reference/popri_scores.json")]
    public void Given_published_numbers_When_scored_without_clipping_Then_mean_over_clients_agrees() => Compare("scores_unclipped", clip: false);

    [Fact]
    public void Given_two_candidates_When_one_is_nearer_Then_clipped_scores_are_plus_and_minus_root_half()
    {
        // Similarities 1 and 0.6: centred 0.2 and -0.2, so the unit vote is (1, -1) / sqrt(2).
        double[] score = PopriScores.Sum([[2, 0], [0.3, 0.4]], [[[5, 0]]]);
        Assert.Equal(Math.Sqrt(0.5), score[0], 1e-12);
        Assert.Equal(-Math.Sqrt(0.5), score[1], 1e-12);
    }

    [Fact]
    public void Given_clients_without_a_vote_When_scored_Then_they_add_nothing()
    {
        double[][] candidates = [[1, 0], [0, 1], [-1, 0]];
        IReadOnlyList<double[]> voter = [[1, 0.5]];
        double[] alone = PopriScores.Sum(candidates, [voter]);
        double[] together = PopriScores.Sum(candidates, [voter, [], [[double.NaN, 1]], [[double.PositiveInfinity, 1]], [[0, 0]]]);
        Assert.Equal(alone, together);
        Assert.Equal(new double[2], PopriScores.Sum([[1, 1], [2, 2]], [voter]));   // no spread
    }

    [Fact]
    public void Given_huge_and_tiny_embeddings_When_scored_Then_only_their_direction_counts()
    {
        double[] plain = PopriScores.Sum([[1, 2], [3, -1], [0, 1]], [[[1, 1], [2, -1]]]);
        double[] scaled = PopriScores.Sum([[1e300, 2e300], [3e-300, -1e-300], [0, 1]], [[[1e-200, 1e-200], [2e250, -1e250]]]);
        for (int k = 0; k < plain.Length; k++)
            Assert.Equal(plain[k], scaled[k], 1e-12);
    }

    private static void Compare(string key, bool clip)
    {
        JsonElement root = SharedFolder.Json("reference/popri_scores.json");
        double[][] candidates = root.GetProperty("candidates").Deserialize<double[][]>()!;
        double[][][] clients = root.GetProperty("clients").Deserialize<double[][][]>()!;
        double[] expected = root.GetProperty(key).Deserialize<double[]>()!;
        double[] sum = PopriScores.Sum(candidates, clients, clip);
        Assert.Equal(60, expected.Length);
        for (int k = 0; k < expected.Length; k++)
            Assert.True(Math.Abs((sum[k] / clients.Length) - expected[k]) <= 1e-9, $"candidate {k}: {sum[k] / clients.Length:R}, published {expected[k]:R}");
    }
}
