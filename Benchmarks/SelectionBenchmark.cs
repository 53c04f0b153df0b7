using System.Text.Json;
using Akka.Configuration;
using Chorus.Actors.Embedding;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Embedding;
using Chorus.Simulation.Metrics;
using Chorus.Simulation.Popri;

namespace Chorus.Benchmarks;

/// <summary>
/// What choosing alone can do: a pool of texts that the pretrained policy writes, and sets of them chosen in several ways, each measured by the downstream
/// model. No policy is tuned, and nothing here is private.
/// </summary>
internal static class SelectionBenchmark
{
    public static int Run(BenchmarkArguments arguments)
    {
        var more = string.Join('\n', arguments.Text("set", "").Split(';', StringSplitOptions.RemoveEmptyEntries).Select(s => $"chorus.{s}"));
        var settings = RunSettings.From(HoconFiles.Run("quickstart"), ("arguments", ConfigurationFactory.ParseString($"chorus.seed = {arguments.Int("seed", 1)}\nchorus.data.synthesize.flavour = {arguments.Text("flavour", "congress")}\n{more}")));
        TorchRuntime.Prepare(settings.Policy.Threads);
        TorchSharp.torch.set_num_threads(settings.Policy.Threads);
        using var corpus = RunData.Open(settings.Data);
        var encoder = RunEncoder.Open(settings.Encoder, corpus.Initial);
        // Named by the caller: settings that do not touch the policy may share one.
        string[] pool = Pool(settings, corpus.Initial, arguments.Int("prompts", 2400), arguments.Text("pool", Path.GetTempFileName()));
        var embedded = EmbeddingMatrix.Encode(encoder, pool);
        Console.WriteLine($"pool {pool.Length}");
        int clients = corpus.Clients.Count;
        var mean = new double[encoder.Dimension];
        for (int c = 0; c < clients; c++)
        {
            var own = EmbeddingMatrix.Encode(encoder, corpus.Clients.ReadTexts(c));
            foreach (var (j, m) in Unit(own).Index())
                mean[j] += m / clients;
        }

        var random = new Random(arguments.Int("seed", 1));
        double noise = arguments.Number("noise", 10) / clients;
        double[] noisy = [.. mean.Select(m => m + (noise * Normal(random)))];
        int texts = settings.Evaluation.Texts, samples = settings.Popri.Samples;
        var direction = mean.Zip(Unit(embedded), (m, p) => m - p).ToArray();
        using var downstream = TorchDownstream.Create(settings, corpus.Initial, default);
        var heldOut = new HeldOutTexts(corpus.Eval, HeldOutTopics.None(corpus.Eval.Length));
        var eval = EmbeddingMatrix.Encode(encoder, corpus.Eval);
        double floor = downstream.Floor(corpus.Initial, heldOut, (_, _, _) => { }, default).TestAccuracy;
        double ceiling = Arm("ceiling", [.. Enumerable.Range(0, clients).SelectMany(c => corpus.Clients.ReadTexts(c)).OrderBy(_ => random.Next()).Take(texts)]);
        Console.WriteLine(FormattableString.Invariant($"floor {floor:0.0000} ceiling {ceiling:0.0000}"));
        string[] wanted = arguments.Text("arms", "random,best-by-mean,best-by-shift,tilt,tilt-noisy,public,public-tilt").Split(',');
        foreach (string arm in wanted)
        {
            string[] chosen = arm switch
            {
                "random" => [.. pool.OrderBy(_ => random.Next()).Take(texts)],
                "best-by-mean" => Best(pool, ReleasedDirection.Scores(mean, embedded), pool.Length / texts, texts),
                "best-by-shift" => Best(pool, ReleasedDirection.Scores(direction, embedded), pool.Length / texts, texts),
                "tilt" => Resample(pool, MomentTilt.Weights(embedded, mean, 0), texts, random),
                "tilt-noisy" => Resample(pool, MomentTilt.Weights(embedded, noisy, noise), texts, random),
                "public" => [.. corpus.Initial],
                "public-tilt" => Resample([.. corpus.Initial], MomentTilt.Weights(EmbeddingMatrix.Encode(encoder, corpus.Initial), noisy, noise), texts, random),
                _ => throw new ArgumentException($"no arm {arm}"),
            };
            var some = EmbeddingMatrix.Encode(encoder, [.. chosen.Take(1500)]);
            double accuracy = Arm(arm, chosen);
            Console.WriteLine(FormattableString.Invariant($"{arm}: {accuracy:0.0000} gap {(accuracy - floor) / (ceiling - floor):0.000} FID {FrechetDistance.Between(some, eval):0.000} mean {MeanDistance.Squared(some, eval):0.0000} distinct {chosen.Distinct().Count()}"));
        }

        return 0;

        double Arm(string name, string[] chosen) => downstream.From(name, chosen, heldOut, (_, _, _) => { }, default).TestAccuracy;
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

    private static string[] Best(string[] pool, double[] scores, int of, int count) =>
        [.. Enumerable.Range(0, pool.Length / of).Select(g => pool[Enumerable.Range(g * of, of).MaxBy(k => scores[k])]).Take(count)];

    /// <summary>Systematic: each text as often as its weight says, up or down to a whole number.</summary>
    private static string[] Resample(string[] pool, double[] weights, int count, Random random)
    {
        Console.WriteLine(FormattableString.Invariant($"  effective texts {1 / weights.Sum(w => w * w):0}"));
        var chosen = new List<string>();
        double at = random.NextDouble(), total = 0;
        for (int k = 0; k < pool.Length; k++)
        {
            total += weights[k] * count;
            for (; at < total; at++)
                chosen.Add(pool[k]);
        }

        return [.. chosen.OrderBy(_ => random.Next())];
    }

    private static double[] Unit(EmbeddingMatrix texts)
    {
        var mean = new double[texts.Dimension];
        for (int k = 0; k < texts.Rows; k++)
        {
            var row = texts.Row(k);
            double norm = 0;
            foreach (float x in row)
                norm += (double)x * x;
            norm = norm > 0 ? Math.Sqrt(norm) : 1;
            for (int j = 0; j < mean.Length; j++)
                mean[j] += row[j] / norm / texts.Rows;
        }

        return mean;
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
