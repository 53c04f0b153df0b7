using System.Diagnostics;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Runtime;

namespace Chorus.Benchmarks;

/// <summary>Whole training steps by several methods on one model, in turns in one process: medians of tokens/s, and their ratio to the first.</summary>
internal static class DpStepBenchmark
{
    // A recording is made after a few steps of each trainer.
    private const int WarmUpSteps = 5;

    public static int Run(BenchmarkArguments arguments)
    {
        var (device, type) = BenchmarkModel.Begin(arguments, "cuda");
        BenchmarkModel.Wait(device);
        long before = PeakMemory.Bytes(device) ?? 0; // the context itself
        string shape = arguments.Text("shape", "llama-13b");
        int batch = arguments.Int("batch", 8), time = arguments.Int("seq", 1024), rounds = arguments.Int("rounds", 5), steps = arguments.Int("steps", 6);
        double warmUp = arguments.Number("warm-up", 2);
        using var model = NamedShapes.Create(shape, arguments.Int("layers", 0) is > 0 and var layers ? layers : null, device, type, 1);
        if (arguments.Text("train", "linear") is "linear" or "none")
        {
            var trained = model.Projections.SkipLast(arguments.Text("train", "linear") == "none" ? model.Projections.Count : 1).SelectMany(p => new[] { p.Projection.Weight, p.Projection.Bias }).Where(p => p is not null).Select(p => p!.Handle).ToHashSet();
            foreach (var parameter in model.parameters().Where(p => !trained.Contains(p.Handle)))
                parameter.requires_grad = false;
        }
        using var adapter = arguments.Int("lora", 0) is > 0 and var rank ? LoraAdapter.Attach(model, new LoraSettings { Rank = rank, TargetPattern = LoraSettings.AllLinear }, 1) : null;
        var random = new Random(1);
        int[][] examples = [.. Enumerable.Range(0, 4 * batch).Select(_ => Enumerable.Range(0, time + 1).Select(_ => random.Next(model.Shape.VocabularySize)).ToArray())];
        var methods = arguments.Text("methods", "none,fused").Split(',').Select(m => Enum.Parse<DpMethod>(m, ignoreCase: true)).ToArray();
        var results = methods.ToDictionary(m => m, _ => new List<double>());
        for (int round = 0; round < rounds; round++)
        {
            foreach (var method in round % 2 == 0 ? methods : methods.Reverse())
            {
                using var trainer = new DpSgdTrainer(model, adapter, examples, Settings(method, batch, time, arguments));
                long begun = Stopwatch.GetTimestamp();
                do // the first time until the run-time has compiled its code for good
                {
                    for (int i = 0; i < WarmUpSteps; i++)
                        trainer.Step();
                    BenchmarkModel.Wait(device);
                }
                while (round == 0 && Stopwatch.GetElapsedTime(begun).TotalSeconds < warmUp);
                long start = Stopwatch.GetTimestamp();
                for (int i = 0; i < steps; i++)
                    trainer.Step();
                BenchmarkModel.Wait(device);
                results[method].Add(Stopwatch.GetElapsedTime(start).TotalSeconds / steps);
            }
        }
        double first = Median(results[methods[0]]);
        foreach (var method in methods)
        {
            var seconds = Median(results[method]);
            var memory = methods.Length == 1 ? FormattableString.Invariant($", peak {((PeakMemory.Bytes(device) ?? 0) - before) / 1048576.0:N0} MiB") : "";
            BenchmarkModel.Print($"{shape} layers {arguments.Text("layers", "all")} B {batch} T {time} {arguments.Text("train", "linear")}{(adapter is null ? "" : " lora")} {method}: {1e3 * seconds:F2} ms, {batch * time / seconds:N0} tokens/s, {first / seconds:F3} of {methods[0]}{memory}");
        }
        return 0;
    }

    private static DpSgdSettings Settings(DpMethod method, int batch, int time, BenchmarkArguments arguments) => new()
    {
        Method = method,
        NoiseMultiplier = method == DpMethod.None ? 0 : 1,
        Clipping = new ClippingSettings
        {
            NormMethod = Enum.Parse<NormMethod>(arguments.Text("norm", "auto"), ignoreCase: true),
            Kind = method == DpMethod.Ghost ? ClippingKind.Flat : Enum.Parse<ClippingKind>(arguments.Text("clipping", "PerLayer"), ignoreCase: true),
        },
        Sampling = ExampleSampling.FixedSize,
        LogicalBatch = batch,
        PhysicalBatch = batch,
        SequenceLength = time,
        Optimizer = Enum.Parse<DpOptimizer>(arguments.Text("optimizer", "sgd"), ignoreCase: true),
        LearningRate = 1e-3,
        Recording = Enum.Parse<StepRecording>(arguments.Text("recording", "auto"), ignoreCase: true),
        Seed = 1,
    };

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
