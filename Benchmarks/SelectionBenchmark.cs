using System.Text.Json;
using Akka.Configuration;
using Chorus.Actors.Embedding;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;

namespace Chorus.Benchmarks;

/// <summary>
/// What choosing alone can do: one release of votes of shift, and sets of texts chosen by it in several ways, each measured by the downstream model. The
/// policy is pretrained on public texts and never tuned, so that rows differ by the choice alone.
/// </summary>
/// <remarks>
/// Method: the quickstart's data, policy and downstream model of a seed; candidates are the pool's first ones; the release is made once, at the noise that a
/// single release of the run's budget takes. Columns: accuracy, share of the gap, Fréchet and mean distance of 1,500 of the texts, distinct texts.
/// </remarks>
internal static class SelectionBenchmark
{
    private const int Measured = 1500;

    public static int Run(BenchmarkArguments arguments)
    {
        var more = string.Join('\n', arguments.Text("set", "").Split(';', StringSplitOptions.RemoveEmptyEntries).Select(s => $"chorus.{s}"));
        var settings = RunSettings.From(HoconFiles.Run("quickstart"), ("arguments", ConfigurationFactory.ParseString(
            $"chorus.method = popri-plus\nchorus.seed = {arguments.Int("seed", 1)}\nchorus.data.synthesize.flavour = {arguments.Text("flavour", "congress")}\n{more}")));
        TorchRuntime.Prepare(settings.Policy.Threads);
        TorchSharp.torch.set_num_threads(settings.Policy.Threads);
        using var corpus = RunData.Open(settings.Data);
        var encoder = RunEncoder.Open(settings.Encoder, corpus.Initial);
        // Named by the caller: settings that do not touch the policy may share one.
        string[] pool = Pool(settings, corpus.Initial, arguments.Int("prompts", 1200), arguments.Text("pool", Path.GetTempFileName()));
        int clients = corpus.Clients.Count, texts = settings.Evaluation.Texts;
        double noise = GaussianAccountant.NoiseMultiplier(arguments.Number("epsilon", 1), 1, settings.Privacy.DeltaFor(clients));
        var (scorer, sum) = Released(settings, corpus, encoder, pool, noise);
        var mean = new ReleasedMean(encoder.Dimension);
        mean.Add(scorer, sum, noise, clients);
        string[] both = [.. pool, .. corpus.Initial];
        var random = new Random(arguments.Int("seed", 1));
        using var downstream = TorchDownstream.Create(settings, corpus.Initial, default);
        var heldOut = new HeldOutTexts(corpus.Eval, HeldOutTopics.None(corpus.Eval.Length));
        var eval = EmbeddingMatrix.Encode(encoder, corpus.Eval);
        double floor = downstream.Floor(TextDraw.Of(corpus.Initial, settings.Evaluation.PublicTexts, settings.Seed), heldOut, (_, _, _) => { }, default).TestAccuracy;
        string[] theirs = [.. Enumerable.Range(0, clients).SelectMany(c => corpus.Clients.ReadTexts(c)).OrderBy(_ => random.Next()).Take(texts)];
        double ceiling = Arm("ceiling", theirs);
        Console.WriteLine(FormattableString.Invariant($"{settings.Data.Synthesis?.Flavour}, seed {settings.Seed}, noise multiplier {noise:0.###}: floor {floor:0.0000}, ceiling {ceiling:0.0000}, private texts {Distances(theirs)}"));
        foreach (string arm in arguments.Text("arms", "all,best,drawn,public,public-drawn,both-drawn").Split(','))
        {
            string[] chosen = arm switch
            {
                "all" => [.. pool.OrderBy(_ => random.Next()).Take(texts)],
                "best" => Best(pool, mean.Scores(EmbeddingMatrix.Encode(encoder, pool)), texts),
                "drawn" => Drawn(pool),
                "public" => [.. corpus.Initial],
                "public-drawn" => Drawn([.. corpus.Initial]),
                "both-drawn" => Drawn(both),
                _ => throw new ArgumentException($"no arm {arm}"),
            };
            double accuracy = Arm(arm, chosen);
            Console.WriteLine(FormattableString.Invariant($"{arm}: {accuracy:0.0000} gap {(accuracy - floor) / (ceiling - floor):0.000} {Distances(chosen)} distinct {chosen.Distinct().Count()}"));
        }

        return 0;

        string Distances(string[] chosen)
        {
            var some = EmbeddingMatrix.Encode(encoder, [.. chosen.Take(Measured)]);
            return FormattableString.Invariant($"FID {FrechetDistance.Between(some, eval):0.000} mean {MeanDistance.Squared(some, eval):0.0000}");
        }

        double Arm(string name, string[] chosen) => downstream.From(name, chosen, heldOut, (_, _, _) => { }, default).TestAccuracy;

        string[] Drawn(string[] from) =>
            [.. ReleasedMean.Draw(mean.Scores(EmbeddingMatrix.Encode(encoder, from)), texts, random.NextDouble()).Select(k => from[k]).OrderBy(_ => random.Next())];
    }

    /// <summary>One release of all clients' votes on the pool's first texts.</summary>
    private static (SubspaceScorer Scorer, double[] Sum) Released(RunSettings settings, Simulation.Data.FederatedCorpus corpus, ISentenceEncoder encoder, string[] pool, double noise)
    {
        var scorer = new SubspaceScorer(EmbeddingMatrix.Encode(encoder, [.. pool.Take(settings.Popri.Candidates)]), settings.Popri.Samples, shift: true);
        var (sum, vote) = (new long[scorer.VoteLength], new double[scorer.VoteLength]);
        for (int c = 0; c < corpus.Clients.Count; c++)
        {
            scorer.Vote(EmbeddingMatrix.Encode(encoder, corpus.Clients.ReadTexts(c)).Values.Span, vote);
            FixedPointGrid.AddRounded(vote, sum);
        }

        new DiscreteGaussian(Math.ScaleB(noise, FixedPointGrid.FractionBits), new SeededRandomSource(settings.Seed, "selection")).AddTo(sum);
        return (scorer, FixedPointGrid.ToDouble(sum));
    }

    private static string[] Pool(RunSettings settings, IReadOnlyList<string> publicTexts, int prompts, string file)
    {
        if (new FileInfo(file) is { Exists: true, Length: > 0 })
            return JsonSerializer.Deserialize<string[]>(File.ReadAllText(file))!;
        using var policy = TorchPolicy.Create(settings, publicTexts, (s, d, t, x) => { if (d % 200 == 0) Console.WriteLine($"{s} {d}/{t} {x}"); }, default);
        policy.LoadAdapter(null);
        var drawn = FewShotPrompts.Draw(publicTexts.Count, prompts, settings.Popri.Shots, settings.Seed, 1);
        string[][] shown = [.. drawn.Select(p => p.Select(i => publicTexts[i]).ToArray())];
        string[] texts = [.. policy.Generate(shown, settings.Popri.Samples, settings.Seed, (_, _, _) => { }, default).Select(c => c.Text.Trim())];
        File.WriteAllText(file, JsonSerializer.Serialize(texts));
        return texts;
    }

    /// <summary>The best of each group of so many that enough come out.</summary>
    private static string[] Best(string[] pool, double[] scores, int count)
    {
        int of = Math.Max(1, pool.Length / count);
        return [.. Enumerable.Range(0, pool.Length / of).Select(g => pool[Enumerable.Range(g * of, of).MaxBy(k => scores[k])]).Take(count)];
    }
}
