using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Tests.Popri;

public class SubspaceScorerTests
{
    [Theory]
    [InlineData(200, 24)]
    [InlineData(10, 40)]   // fewer candidates than dimensions
    [InlineData(2, 3)]
    public void Given_clients_When_voting_Then_scores_are_those_of_the_full_vote(int count, int dimension)
    {
        EmbeddingMatrix candidates = CandidateScorerTests.Random(count, dimension, 1);
        var full = new CandidateScorer(candidates);
        var subspace = new SubspaceScorer(candidates);
        Assert.Equal(Math.Min(count - 1, dimension), subspace.Rank);
        for (int client = 0; client < 10; client++)
        {
            ReadOnlySpan<float> texts = CandidateScorerTests.Random(1 + client, dimension, 50 + client).Values.Span;
            double[] expected = new double[count], vote = new double[subspace.Rank];
            Assert.Equal(VoteKind.Counted, full.Vote(texts, expected));
            Assert.Equal(VoteKind.Counted, subspace.Vote(texts, vote));
            double square = vote.Sum(u => u * u);
            Assert.InRange(square, 1 - 1e-9, 1);
            double[] scores = subspace.Scores(vote);
            for (int k = 0; k < count; k++)
                Assert.Equal(expected[k], scores[k], 1e-9);
        }
    }

    // The reference: cosines less their prompt's mean, scaled to norm 1, in plain loops.
    [Theory]
    [InlineData(40, 5, 16)]
    [InlineData(6, 2, 30)]   // fewer candidates than dimensions
    public void Given_groups_When_voting_Then_scores_are_those_of_a_vote_centred_within_each(int count, int groupSize, int dimension)
    {
        EmbeddingMatrix candidates = CandidateScorerTests.Random(count, dimension, 11);
        var subspace = new SubspaceScorer(candidates, groupSize);
        Assert.Equal(Math.Min(count - (count / groupSize), dimension), subspace.Rank);
        for (int client = 0; client < 5; client++)
        {
            EmbeddingMatrix texts = CandidateScorerTests.Random(2 + client, dimension, 60 + client);
            double[][] units = [.. Enumerable.Range(0, texts.Rows).Select(t => Unit(texts.Row(t)))];
            double[] expected = [.. Enumerable.Range(0, count).Select(k => units.Sum(u => u.Zip(Unit(candidates.Row(k)), (a, b) => a * b).Sum()))];
            foreach (int group in Enumerable.Range(0, count / groupSize))
            {
                double mean = expected.Skip(group * groupSize).Take(groupSize).Average();
                for (int k = group * groupSize; k < (group + 1) * groupSize; k++)
                    expected[k] -= mean;
            }

            double norm = Math.Sqrt(expected.Sum(e => e * e));
            var vote = new double[subspace.Rank];
            Assert.Equal(VoteKind.Counted, subspace.Vote(texts.Values.Span, vote));
            Assert.InRange(vote.Sum(u => u * u), 1 - 1e-9, 1);
            double[] scores = subspace.Scores(vote);
            for (int k = 0; k < count; k++)
                Assert.Equal(expected[k] / norm, scores[k], 1e-8);
        }
    }

    // The reference: U^T of the candidates' centred cosines with what the client's mean text is away from the candidates' mean, in plain loops.
    [Fact]
    public void Given_clients_When_voting_by_shift_Then_votes_say_how_far_their_mean_text_lies_and_far_ones_are_clipped()
    {
        const int Count = 60, Dimension = 12;
        EmbeddingMatrix candidates = CandidateScorerTests.Random(Count, Dimension, 21);
        var subspace = new SubspaceScorer(candidates, shift: true);
        double[][] units = [.. Enumerable.Range(0, Count).Select(k => Unit(candidates.Row(k)))];
        double[] mean = [.. Enumerable.Range(0, Dimension).Select(j => units.Average(u => u[j]))];
        double typical = Math.Sqrt(units.Average(u => units.Sum(v => Math.Pow(Dot(Minus(v, mean), Minus(u, mean)), 2))));
        Assert.Equal(0.65 * typical, subspace.Clip, 1e-9);
        var lengths = new List<double>();
        for (int client = 0; client < 20; client++)
        {
            EmbeddingMatrix texts = CandidateScorerTests.Random(1 + client, Dimension, 80 + client);
            double[] own = [.. Enumerable.Range(0, Dimension).Select(j => Enumerable.Range(0, texts.Rows).Average(t => Unit(texts.Row(t))[j]))];
            double[] cosines = [.. units.Select(u => Dot(Minus(u, mean), Minus(own, mean)))];
            double length = Math.Max(subspace.Clip, Math.Sqrt(cosines.Sum(c => c * c)));
            var vote = new double[subspace.Rank];
            Assert.Equal(VoteKind.Counted, subspace.Vote(texts.Values.Span, vote));
            lengths.Add(Math.Sqrt(vote.Sum(v => v * v)));
            double[] scores = subspace.Scores(vote);
            for (int k = 0; k < Count; k++)
                Assert.Equal(cosines[k] / length, scores[k], 1e-8);
        }

        Assert.True(lengths.Max() <= 1 && lengths.Max() > 1 - 1e-9 && lengths.Min() < 0.7, string.Join(' ', lengths));
    }

    // What sensitivity rests on: whatever a client holds, what it adds to the integer sum has norm at most one unit, exactly.
    [Theory]
    [InlineData(1e-30f)]
    [InlineData(1f)]
    [InlineData(1e30f)]
    public void Given_texts_made_to_be_far_When_voting_by_shift_Then_no_vote_is_longer_than_one(float size)
    {
        EmbeddingMatrix candidates = CandidateScorerTests.Random(50, 16, 31);
        foreach (var subspace in new[] { new SubspaceScorer(candidates, shift: true), new SubspaceScorer(candidates, 10, shift: true) })
        {
            for (int client = 0; client < 64; client++)
            {
                // Along one candidate, against it, or along one coordinate: single texts are the farthest that a client can be.
                float[] text = [.. candidates.Row(client % 50).ToArray().Select((x, j) => size * (client % 3 == 0 ? x : client % 3 == 1 ? -x : j == client % 16 ? 1 : 0))];
                var vote = new double[subspace.Rank];
                Assert.Equal(VoteKind.Counted, subspace.Vote(text, vote));
                var units = new long[vote.Length];
                FixedPointGrid.AddRounded(vote, units);
                System.Numerics.BigInteger square = units.Aggregate(System.Numerics.BigInteger.Zero, (sum, u) => sum + ((System.Numerics.BigInteger)u * u));
                Assert.True(square <= System.Numerics.BigInteger.Pow(FixedPointGrid.UnitsPerOne, 2), $"{square}");
            }
        }
    }

    private static double[] Unit(ReadOnlySpan<float> row)
    {
        double[] values = [.. row.ToArray().Select(x => (double)x)];
        double norm = Math.Sqrt(values.Sum(x => x * x));
        return [.. values.Select(x => x / norm)];
    }

    private static double[] Minus(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x - y)];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    [Fact]
    public void Given_groups_that_do_not_come_out_even_When_made_Then_refused() =>
        Assert.Throws<ArgumentException>(() => new SubspaceScorer(CandidateScorerTests.Random(10, 4, 1), 3));

    [Fact]
    public void Given_the_basis_When_written_out_Then_it_is_orthonormal()
    {
        // Without this, noise in the small space would not be noise of the same size in the scores.
        var subspace = new SubspaceScorer(CandidateScorerTests.Random(90, 16, 2));
        double[][] columns = [.. Enumerable.Range(0, subspace.Rank).Select(i => subspace.Scores([.. Enumerable.Range(0, subspace.Rank).Select(k => k == i ? 1.0 : 0)]))];
        for (int i = 0; i < columns.Length; i++)
        {
            for (int k = 0; k < columns.Length; k++)
                Assert.Equal(i == k ? 1 : 0, columns[i].Zip(columns[k], (a, b) => a * b).Sum(), 1e-9);
        }
    }

    [Fact]
    public void Given_duplicates_and_flat_directions_When_prepared_Then_the_rank_is_that_of_the_rest()
    {
        float[] values = [.. Enumerable.Range(0, 30).SelectMany(i => new float[] { 1 + (i % 3), 2 - (i % 2), 0, 0.5f })];
        var subspace = new SubspaceScorer(new EmbeddingMatrix(30, 4, values));
        Assert.InRange(subspace.Rank, 1, 3);
        var vote = new double[subspace.Rank];
        Assert.Equal(VoteKind.Counted, subspace.Vote([1, 0, 0, 0], vote));
        Assert.Equal(VoteKind.ZeroSpread, subspace.Vote([0, 0, 1, 0], vote));   // no candidate differs there
        Assert.Equal(VoteKind.NoText, subspace.Vote([], vote));
        Assert.Equal(VoteKind.NotFinite, subspace.Vote([float.NaN, 0, 1, 0], vote));
        Assert.All(vote, u => Assert.Equal(0, u));
        var one = new SubspaceScorer(new EmbeddingMatrix(3, 2, [1, 2, 2, 4, 3, 6]));
        Assert.Equal(0, one.Rank);
        Assert.Equal(VoteKind.ZeroSpread, one.Vote([1, 0], []));
        Assert.Equal(new double[3], one.Scores([]));
    }

    [Fact]
    public void Given_the_same_noise_When_released_in_the_subspace_Then_more_pairs_are_kept_right()
    {
        const int Prompts = 100, Samples = 10, Dimension = 16, Clients = 300;
        EmbeddingMatrix candidates = CandidateScorerTests.Random(Prompts * Samples, Dimension, 3);
        var full = new CandidateScorer(candidates);
        var subspace = new SubspaceScorer(candidates);
        var fullSum = new long[full.Count];
        var smallSum = new long[subspace.Rank];
        double[] fullVote = new double[full.Count], smallVote = new double[subspace.Rank];
        for (int client = 0; client < Clients; client++)
        {
            ReadOnlySpan<float> texts = CandidateScorerTests.Random(3, Dimension, 500 + client).Values.Span;
            full.Vote(texts, fullVote);
            subspace.Vote(texts, smallVote);
            FixedPointGrid.AddRounded(fullVote, fullSum);
            FixedPointGrid.AddRounded(smallVote, smallSum);
        }

        double[] noiseFree = FixedPointGrid.ToDouble(fullSum);
        double sigma = 5.0 * FixedPointGrid.UnitsPerOne;
        new DiscreteGaussian(sigma, new SeededRandomSource(1, "full")).AddTo(fullSum);
        new DiscreteGaussian(sigma, new SeededRandomSource(1, "subspace")).AddTo(smallSum);
        double[] fullScores = full.Scores(FixedPointGrid.ToDouble(fullSum));
        double[] smallScores = subspace.Scores(FixedPointGrid.ToDouble(smallSum));

        double Noise(double[] scores) => Math.Sqrt(scores.Zip(noiseFree, (a, b) => (a - b) * (a - b)).Average());
        double expected = Math.Sqrt((double)subspace.Rank / full.Count);   // 0.126; 16 draws decide it, so 0.18 relative deviation
        Assert.InRange(Noise(smallScores) / Noise(fullScores) / expected, 0.4, 1.6);
        double Kept(double[] scores) => PreferencePairing.KeptRight(PreferencePairing.Rank(scores, Prompts, Samples, 5), noiseFree);
        Assert.True(Kept(smallScores) > Kept(fullScores) + 0.1, $"{Kept(smallScores)} against {Kept(fullScores)}");
    }
}
