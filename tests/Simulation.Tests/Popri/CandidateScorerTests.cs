using System.Numerics;
using System.Text.Json;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using CsCheck;

namespace Chorus.Simulation.Tests.Popri;

public class CandidateScorerTests
{
    private static readonly float[] Extremes = [0, -0f, float.Epsilon, float.MaxValue, 1e-30f, 1e30f];

    [Fact]
    public void Given_random_clients_When_voting_Then_agrees_with_the_plain_loops()
    {
        // Odd sizes, so that lanes and tail both take part; float32 inputs are the same for both, all else is double.
        EmbeddingMatrix candidates = Random(61, 45, 1);
        var scorer = new CandidateScorer(candidates);
        double[][] rows = Rows(candidates);
        for (int texts = 1; texts < 12; texts += 5)
        {
            EmbeddingMatrix client = Random(texts, 45, 100 + texts);
            var vote = new double[61];
            Assert.Equal(VoteKind.Counted, scorer.Vote(client.Values.Span, vote));
            double[] expected = PopriScores.Sum(rows, [Rows(client)]);
            for (int k = 0; k < vote.Length; k++)
                Assert.Equal(expected[k], vote[k], 1e-10);
        }
    }

    [SharedFact("reference/popri_scores.json")]
    public void Given_published_numbers_cut_to_float32_When_voting_Then_mean_over_clients_agrees_to_float32()
    {
        JsonElement root = SharedFolder.Json("reference/popri_scores.json");
        double[][] candidates = root.GetProperty("candidates").Deserialize<double[][]>()!;
        double[][][] clients = root.GetProperty("clients").Deserialize<double[][][]>()!;
        double[] expected = root.GetProperty("scores_clipped").Deserialize<double[]>()!;
        var scorer = new CandidateScorer(Cut(candidates));
        var sum = new double[60];
        var vote = new double[60];
        foreach (double[][] client in clients)
        {
            Assert.Equal(VoteKind.Counted, scorer.Vote(Cut(client).Values.Span, vote));
            for (int k = 0; k < sum.Length; k++)
                sum[k] += vote[k] / clients.Length;
        }

        for (int k = 0; k < sum.Length; k++)
            Assert.Equal(expected[k], sum[k], 1e-6);
    }

    [Fact]
    public void Given_a_fixed_input_When_voting_Then_every_bit_is_as_plain_scalar_code_in_the_written_order_gives()
    {
        EmbeddingMatrix candidates = Random(37, 50, 5);
        EmbeddingMatrix client = Random(3, 50, 6);
        var vote = new double[37];
        new CandidateScorer(candidates).Vote(client.Values.Span, vote);

        var sum = new double[50];
        for (int t = 0; t < 3; t++)
        {
            double[] text = Widen(client.Row(t));
            double norm = Math.Sqrt(LaneDot(text, text));
            for (int j = 0; j < 50; j++)
                sum[j] += text[j] / norm;
        }

        var plain = new double[37];
        for (int k = 0; k < 37; k++)
        {
            double[] row = Widen(candidates.Row(k));
            double norm = Math.Sqrt(LaneDot(row, row));
            for (int j = 0; j < 50; j++)
                plain[k] = Math.FusedMultiplyAdd(sum[j], row[j] / norm, plain[k]);
        }

        var ones = new double[37];
        Array.Fill(ones, 1.0);
        double mean = LaneDot(plain, ones) / 37;
        for (int k = 0; k < 37; k++)
            plain[k] -= mean;
        double factor = (1 - Math.ScaleB(1, -36)) / Math.Sqrt(LaneDot(plain, plain));
        for (int k = 0; k < 37; k++)
            Assert.Equal(BitConverter.DoubleToInt64Bits(plain[k] * factor), BitConverter.DoubleToInt64Bits(vote[k]));
    }

    [Fact]
    public void Given_clients_that_cannot_vote_When_voting_Then_the_vote_is_zero_and_the_reason_is_told()
    {
        var scorer = new CandidateScorer(new EmbeddingMatrix(3, 2, [1, 0, 0, 1, 0.6f, 0.8f]));
        Expect(scorer, [], VoteKind.NoText);
        Expect(scorer, [1, 0, float.NaN, 1], VoteKind.NotFinite);
        Expect(scorer, [float.NegativeInfinity, 0], VoteKind.NotFinite);
        Expect(scorer, [0, 0], VoteKind.ZeroSpread);
        Expect(scorer, [1, 0.5f, -1, -0.5f], VoteKind.ZeroSpread);   // texts that cancel
        Expect(scorer, [3, 4], VoteKind.Counted);
        Expect(new CandidateScorer(new EmbeddingMatrix(1, 2, [1, 0])), [3, 4], VoteKind.ZeroSpread);
        Expect(new CandidateScorer(new EmbeddingMatrix(2, 2, [1, 2, 1, 2])), [3, 4], VoteKind.ZeroSpread);
        Expect(new CandidateScorer(new EmbeddingMatrix(2, 2, [1, 2, 3, 6])), [3, 4], VoteKind.ZeroSpread);   // one direction, two lengths
    }

    [Fact]
    public void Given_duplicate_candidates_When_voting_Then_each_has_the_same_score()
    {
        EmbeddingMatrix some = Random(20, 33, 9);
        float[] twice = [.. some.Values.Span, .. some.Values.Span];
        var vote = new double[40];
        Assert.Equal(VoteKind.Counted, new CandidateScorer(new EmbeddingMatrix(40, 33, twice)).Vote(Random(2, 33, 10).Values.Span, vote));
        Assert.Equal(vote[..20], vote[20..]);
        Assert.True(vote.Distinct().Count() == 20);
    }

    [Fact]
    public void Given_a_candidate_that_is_not_finite_When_preparing_Then_it_is_named()
    {
        var error = Assert.Throws<ArgumentException>(() => new CandidateScorer(new EmbeddingMatrix(2, 1, [1, float.NaN])));
        Assert.Contains("candidate 1", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new CandidateScorer(new EmbeddingMatrix(0, 1, [])));
        var scorer = new CandidateScorer(new EmbeddingMatrix(2, 2, [1, 0, 0, 1]));
        Assert.Throws<ArgumentException>(() => scorer.Vote([1, 2, 3], new double[2]));
        Assert.Throws<ArgumentException>(() => scorer.Vote([1, 2], new double[3]));
    }

    [Fact]
    public void Given_any_floats_When_voting_Then_the_exact_norm_is_at_most_1_on_the_grid_and_before()
    {
        // Any bit pattern: subnormal, huge, signed zero, now and then NaN.
        Gen<float> anything = Gen.Frequency((6, Gen.Float[-1, 1]), (1, Gen.Float), (1, Gen.Int[0, 5].Select(i => Extremes[i])));
        Gen<(int Count, int Dimension, int Texts)> shapes = Gen.Select(Gen.Int[1, 40], Gen.Int[1, 20], Gen.Int[0, 4]);
        shapes.SelectMany(s => Gen.Select(anything.Where(float.IsFinite).Array[s.Count * s.Dimension], anything.Array[s.Texts * s.Dimension], (c, t) => (s, c, t)))
            .Sample(x =>
            {
                var scorer = new CandidateScorer(new EmbeddingMatrix(x.s.Count, x.s.Dimension, x.c));
                var vote = new double[x.s.Count];
                VoteKind kind = scorer.Vote(x.t, vote);
                RequireNormAtMostOne(vote, near: kind == VoteKind.Counted);
            }, iter: 2000);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(15)]
    [InlineData(1000)]
    [InlineData(20000)]
    public void Given_many_candidates_When_the_spread_is_even_or_a_spike_or_near_nothing_Then_the_exact_norm_is_at_most_1(int count)
    {
        var random = new Random(count);
        foreach (string shape in (string[])["random", "spike", "alternating", "faint"])
        {
            var values = new float[2 * count];
            for (int k = 0; k < count; k++)
            {
                double angle = shape switch
                {
                    "random" => random.NextDouble() * Math.Tau,
                    "spike" => k == count / 2 ? 0 : 1.5,
                    "alternating" => (k & 1) == 0 ? 0.3 : -1.1,
                    _ => 1 + (k * 1e-7 / count),
                };
                (values[2 * k], values[(2 * k) + 1]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
            }

            var scorer = new CandidateScorer(new EmbeddingMatrix(count, 2, values));
            var vote = new double[count];
            VoteKind kind = scorer.Vote([1, 0, 0.8f, 0.6f], vote);
            RequireNormAtMostOne(vote, near: kind == VoteKind.Counted);
            if (shape != "faint")
                Assert.Equal(VoteKind.Counted, kind);
        }
    }

    [Fact]
    public void Given_many_threads_When_voting_Then_votes_are_those_of_one_thread()
    {
        var scorer = new CandidateScorer(Random(200, 64, 3));
        EmbeddingMatrix[] clients = [.. Enumerable.Range(0, 64).Select(i => Random(1 + (i % 5), 64, 1000 + i))];
        double[][] Votes(bool parallel)
        {
            var votes = new double[64][];
            void One(int i)
            {
                votes[i] = new double[200];
                scorer.Vote(clients[i].Values.Span, votes[i]);
            }

            if (parallel)
                Parallel.For(0, 64, One);
            else
                for (int i = 0; i < 64; i++)
                    One(i);
            return votes;
        }

        Assert.Equal(Votes(parallel: false), Votes(parallel: true));
    }

    [Fact]
    public void Given_clients_beside_each_other_When_multiplied_at_once_Then_each_vote_has_the_bits_that_it_has_alone()
    {
        EmbeddingMatrix candidates = Random(131, 40, 7);
        foreach (IBlockScorer scorer in (IBlockScorer[])[new CandidateScorer(candidates), new SubspaceScorer(candidates)])
        {
            EmbeddingMatrix[] clients = [.. Enumerable.Range(0, 23).Select(i => Random(i % 4, 40, 2000 + i))];
            var summaries = new double[clients.Length * scorer.Dimension];
            var votes = new double[clients.Length * scorer.VoteLength];
            for (int i = 0; i < clients.Length; i++)
                scorer.Summarise(clients[i].Values.Span, summaries.AsSpan(i * scorer.Dimension, scorer.Dimension));
            scorer.Multiply(summaries, votes);
            var alone = new double[scorer.VoteLength];
            for (int i = 0; i < clients.Length; i++)
            {
                VoteKind kind = scorer.Vote(clients[i].Values.Span, alone);
                Assert.Equal(i % 4 == 0 ? VoteKind.NoText : VoteKind.Counted, kind);
                Span<double> vote = votes.AsSpan(i * scorer.VoteLength, scorer.VoteLength);
                if (kind == VoteKind.Counted)
                    Assert.Equal(VoteKind.Counted, scorer.Finish(clients[i].Rows, vote));
                Assert.Equal(alone, vote);
            }
        }
    }

    // Exact: every double is an integer times 2^-1074, so the squares are added as integers.
    private static void RequireNormAtMostOne(double[] vote, bool near)
    {
        BigInteger square = 0;
        foreach (double v in vote)
        {
            Assert.True(double.IsFinite(v));
            long bits = BitConverter.DoubleToInt64Bits(v);
            int exponent = (int)(bits >> 52 & 0x7FF);
            BigInteger units = bits & 0xFFFFFFFFFFFFF;
            if (exponent > 0)
                units = (units + (BigInteger.One << 52)) << (exponent - 1);
            square += units * units;
        }

        BigInteger one = BigInteger.One << (2 * 1074);
        Assert.True(square <= one, "the norm of the vote is above 1");
        if (near)
            Assert.True(square > one - (one >> 30), "the norm of the vote is not near 1");
        else
            Assert.True(square.IsZero);

        var grid = new long[vote.Length];
        FixedPointGrid.Round(vote, grid);
        BigInteger units2 = grid.Aggregate(BigInteger.Zero, (sum, g) => sum + ((BigInteger)g * g));
        Assert.True(units2 <= BigInteger.One << 48, "the norm of the rounded vote is above 2^24 units");
    }

    private static void Expect(CandidateScorer scorer, float[] texts, VoteKind kind)
    {
        var vote = new double[scorer.Count];
        Array.Fill(vote, 7.0);
        Assert.Equal(kind, scorer.Vote(texts, vote));
        if (kind != VoteKind.Counted)
            Assert.All(vote, v => Assert.Equal(0, v));
    }

    private static double LaneDot(double[] a, double[] b)
    {
        var lanes = new double[16];
        int whole = a.Length - (a.Length % 16);
        for (int i = 0; i < whole; i++)
            lanes[i % 16] += a[i] * b[i];
        var four = new double[4];
        for (int l = 0; l < 4; l++)
            four[l] = (lanes[l] + lanes[4 + l]) + (lanes[8 + l] + lanes[12 + l]);
        double total = (four[0] + four[1]) + (four[2] + four[3]);
        for (int i = whole; i < a.Length; i++)
            total += a[i] * b[i];
        return total;
    }

    private static double[] Widen(ReadOnlySpan<float> row)
    {
        var wide = new double[row.Length];
        for (int j = 0; j < row.Length; j++)
            wide[j] = row[j];
        return wide;
    }

    private static double[][] Rows(EmbeddingMatrix m) => [.. Enumerable.Range(0, m.Rows).Select(i => Widen(m.Row(i)))];

    private static EmbeddingMatrix Cut(double[][] rows) =>
        new(rows.Length, rows[0].Length, [.. rows.SelectMany(r => r.Select(x => (float)x))]);

    internal static EmbeddingMatrix Random(int rows, int dimension, int seed)
    {
        var random = new Random(seed);
        return new EmbeddingMatrix(rows, dimension, [.. Enumerable.Range(0, rows * dimension).Select(_ => (float)((random.NextDouble() * 2) - 0.9))]);
    }
}
