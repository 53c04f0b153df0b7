using System.Diagnostics;
using System.Globalization;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;

namespace Chorus.Benchmarks;

/// <summary>
/// The arithmetic of one client's vote in the paper's round (18,000 candidates, 384 dimensions) beside the same dot
/// products as a plain double loop, and the noise of one release. Method: inputs from a fixed seed, results compared
/// first, then one warm-up and nine timed runs of each, interleaved; medians, on one thread.
/// </summary>
internal static class VoteBenchmark
{
    private const int Candidates = 18_000;
    private const int Dimension = 384;
    private const int Texts = 8;
    private const int Repeats = 9;

    public static int Run()
    {
        var random = new Random(1);
        var candidates = new EmbeddingMatrix(Candidates, Dimension, Gaussians(random, Candidates * Dimension));
        var texts = Gaussians(random, Texts * Dimension);
        var scorer = new CandidateScorer(candidates);
        var vote = new double[Candidates];
        var plain = new double[Candidates];
        scorer.Vote(texts, vote);
        PlainCosines(candidates, texts, plain);
        if (!(Correlation(vote, plain) > 1 - 1e-9))
            throw new InvalidOperationException("the vote is no standardised sum of cosines: nothing to measure");

        var sum = new long[Candidates];
        var noise = new DiscreteGaussian(Math.ScaleB(19.3, FixedPointGrid.FractionBits), new SeededRandomSource(1, "benchmark"));
        var medians = Interleaved(
            () => scorer.Vote(texts, vote),
            () => PlainCosines(candidates, texts, plain),
            () => FixedPointGrid.AddRounded(vote, sum),
            () => noise.AddTo(sum));
        Report("vote (CandidateScorer)", medians[0]);
        Report("the same as a plain loop over texts", medians[1]);
        Report("rounding onto the grid and adding", medians[2]);
        Report("discrete Gaussian noise, 18,000 draws", medians[3]);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"plain / vote: {medians[1] / medians[0]:0.0}"));
        return 0;
    }

    private static void PlainCosines(EmbeddingMatrix candidates, float[] texts, double[] scores)
    {
        for (var i = 0; i < candidates.Rows; i++)
        {
            var row = candidates.Row(i);
            double total = 0;
            for (var t = 0; t < Texts; t++)
            {
                double dot = 0, rowSquares = 0, textSquares = 0;
                for (var d = 0; d < Dimension; d++)
                {
                    double a = row[d], b = texts[(t * Dimension) + d];
                    dot += a * b;
                    rowSquares += a * a;
                    textSquares += b * b;
                }

                total += dot / Math.Sqrt(rowSquares * textSquares);
            }

            scores[i] = total;
        }
    }

    private static double Correlation(double[] a, double[] b)
    {
        double meanA = a.Average(), meanB = b.Average();
        var products = a.Zip(b, (x, y) => (x - meanA) * (y - meanB)).Sum();
        return products / Math.Sqrt(a.Sum(x => (x - meanA) * (x - meanA)) * b.Sum(y => (y - meanB) * (y - meanB)));
    }

    private static float[] Gaussians(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];

    private static double[] Interleaved(params Action[] actions)
    {
        var times = actions.Select(_ => new List<double>()).ToArray();
        for (var repeat = 0; repeat <= Repeats; repeat++)
        {
            for (var i = 0; i < actions.Length; i++)
            {
                var start = Stopwatch.GetTimestamp();
                actions[i]();
                if (repeat > 0)
                    times[i].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        }

        return [.. times.Select(t => t.Order().ElementAt(t.Count / 2))];
    }

    private static void Report(string what, double milliseconds) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-42} {milliseconds,9:0.000} ms"));
}
