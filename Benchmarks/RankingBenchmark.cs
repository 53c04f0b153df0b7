using System.Globalization;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;

namespace Chorus.Benchmarks;

/// <summary>
/// How many preference pairs a release orders rightly: the published release in one number a candidate, beside the subspace release of
/// the same votes under the same epsilon, and what can be made of it. By epsilon and by the number of clients.
/// </summary>
/// <remarks>
/// Method: clients and public texts of a synthesised corpus; candidates are public texts that the encoder was not fitted on, in prompts of ten, as a
/// policy that was pretrained on public texts writes them in its first round. A pair is the best of a prompt against the fifth by released scores;
/// it is right if the published votes without noise order it so. Means over several draws of noise.
/// </remarks>
internal static class RankingBenchmark
{
    private const int Prompts = 150, Samples = 10, Rank = 5, Rounds = 6, Draws = 5;

    public static int Run(BenchmarkArguments arguments)
    {
        string[] flavours = arguments.Text("flavour", "both") is var wanted && wanted == "both" ? ["biorxiv", "congress"] : [wanted];
        int[] clients = [.. arguments.Text("clients", "200,500,1000,2000,5000").Split(',').Select(c => int.Parse(c, CultureInfo.InvariantCulture)).Order()];
        double[] epsilons = [.. arguments.Text("epsilons", "0.2,0.5,1,2,4,8").Split(',').Select(e => double.Parse(e, CultureInfo.InvariantCulture)).Order()];
        Console.WriteLine("flavour,clients,epsilon,noise,published,subspace,by-prompt");
        RankingRow[] rows = [.. flavours.SelectMany(f => Measure(f, clients, epsilons))];
        if (arguments.Text("page", "") is { Length: > 0 } page)
        {
            RankingPage.Write(rows, clients.Contains(2000) ? 2000 : clients[^1], epsilons.Contains(1) ? 1 : epsilons[0], page);
            Console.WriteLine($"page: {page}");
        }

        return 0;
    }

    private static IEnumerable<RankingRow> Measure(string flavour, int[] clients, double[] epsilons)
    {
        using var corpus = Corpus(flavour == "congress" ? CorpusFlavour.Congress : CorpusFlavour.Biorxiv, clients[^1]);
        var encoder = HashedNgramEncoder.Fit([.. corpus.Initial.Skip(Prompts * Samples)]);
        var candidates = EmbeddingMatrix.Encode(encoder, [.. corpus.Initial.Take(Prompts * Samples)]);
        VoteScorer[] scorers = [new(new CandidateScorer(candidates)), new(new SubspaceScorer(candidates)), new(new SubspaceScorer(candidates, Samples))];
        int counted = 0;
        foreach (int count in clients)
        {
            for (; counted < count; counted++)
            {
                var texts = EmbeddingMatrix.Encode(encoder, corpus.Clients.ReadTexts(counted)).Values.Span;
                foreach (var scorer in scorers)
                    scorer.Count(texts);
            }

            foreach (double epsilon in epsilons)
            {
                double noise = GaussianAccountant.NoiseMultiplier(epsilon, Rounds, Math.Min(1e-5, Math.Pow(count, -1.1)));
                double[] right = [.. scorers.Select((s, i) => Enumerable.Range(0, Draws).Average(draw => Right(s.Scorer.Scores(s.Noised(noise, $"{count}/{epsilon}/{draw}/{i}")))))];
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{flavour},{count},{epsilon},{noise:0.###},{string.Join(',', right.Select(r => r.ToString("0.000", CultureInfo.InvariantCulture)))}"));
                yield return new RankingRow(flavour, count, epsilon, noise, right);
            }
        }

        double Right(double[] scores) => PreferencePairing.KeptRight(PreferencePairing.Rank(scores, Prompts, Samples, Rank), scorers[0].Exact);
    }

    private static FederatedCorpus Corpus(CorpusFlavour flavour, int clients)
    {
        var settings = new SynthesisSettings { Flavour = flavour, Clients = clients, Seed = 1, Alpha = 0.3, InitialTexts = 6000, EvalClients = 20 };
        var folder = Path.Combine(Path.GetTempPath(), "chorus-ranking", CorpusSynthesizer.CacheKey(settings));
        CorpusSynthesizer.Write(settings, folder);
        return FederatedCorpus.Open(folder);
    }

    /// <summary>A scorer and the sum of its votes so far.</summary>
    private sealed class VoteScorer(IVoteScorer scorer)
    {
        private readonly long[] _sum = new long[scorer.VoteLength];
        private readonly double[] _vote = new double[scorer.VoteLength];

        public IVoteScorer Scorer => scorer;

        public double[] Exact => FixedPointGrid.ToDouble(_sum);

        public void Count(ReadOnlySpan<float> texts)
        {
            scorer.Vote(texts, _vote);
            FixedPointGrid.AddRounded(_vote, _sum);
        }

        public double[] Noised(double noise, string purpose)
        {
            var noised = (long[])_sum.Clone();
            new DiscreteGaussian(Math.ScaleB(noise, FixedPointGrid.FractionBits), new SeededRandomSource(1, purpose)).AddTo(noised);
            return FixedPointGrid.ToDouble(noised);
        }
    }
}
