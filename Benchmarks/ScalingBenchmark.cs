using System.Diagnostics;
using System.Globalization;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.DpSgd;
using TorchSharp;
using static Chorus.Benchmarks.BenchmarkModel;
using static TorchSharp.torch;

namespace Chorus.Benchmarks;

/// <summary>The cost model of docs/scaling.md: fitted to steps of two depths on one device, checked at a third, and its tables for many devices.</summary>
/// <remarks>
/// Full fused DP-SGD steps with SGD, all parameters trained, --batch x --seq random tokens in one micro-batch. With --layer-ms, --rest-ms and --update-gbs nothing is measured.
/// </remarks>
internal static class ScalingBenchmark
{
    /// <summary>Rates a direction, of public data sheets; 0.8 is what NCCL's own tests report of NVLink's for large messages.
    /// Contention over NVLink is what two H100s and two H200s showed with NCCL's own number of blocks; over PCIe what was left of it with 4 blocks, as many as so slow a link keeps busy.</summary>
    private static readonly GroupLinks[] Links =
    [
        new("NVLink 4 (H100, H200), InfiniBand NDR 400", 8, 450e9, 50e9, 0.8, 5e-6, 1),
        new("NVLink 3 (A100), InfiniBand HDR 200", 8, 300e9, 25e9, 0.8, 5e-6, 1),
        new("PCIe 5.0 x16, InfiniBand NDR 400", 8, 63e9, 50e9, 0.8, 10e-6, 0.1),
    ];

    public static int Run(BenchmarkArguments arguments)
    {
        string shape = arguments.Text("shape", "llama-13b"), optimizer = arguments.Text("optimizer", "sgd");
        int batch = arguments.Int("batch", 8), time = arguments.Int("seq", 1024);
        bool given = arguments.Text("layer-ms", "").Length > 0, fits = true;
        MeasuredCompute compute;
        if (given)
        {
            compute = new MeasuredCompute(arguments.Number("layer-ms", 0) / 1e3, arguments.Number("rest-ms", 0) / 1e3, arguments.Number("update-gbs", 2000) * 1e9);
            Print($"{shape}: {compute.LayerSeconds * 1e3:0.00} ms a layer, {compute.RestSeconds * 1e3:0.00} ms for the rest, update {compute.UpdateRate / 1e9:N0} GB/s (given)");
        }
        else
        {
            (compute, fits) = Measure(arguments, shape, batch, time);
        }
        Table(shape, arguments.Int("layers", NamedShapes.ShapeOf(shape, null).Layers), compute, batch * time, optimizer == "adamw" ? 7 : 3, arguments.Text("micro-batches", "1,4"));
        return fits ? 0 : 1;
    }

    private static (MeasuredCompute Compute, bool Fits) Measure(BenchmarkArguments arguments, string shape, int batch, int time)
    {
        var (device, type) = Begin(arguments, "cuda");
        int bytes = type == ScalarType.BFloat16 ? 2 : 4;
        int[] depths = [.. arguments.Text("depths", "1,4").Split(',').Select(d => int.Parse(d, CultureInfo.InvariantCulture))];
        int check = arguments.Int("check", 6), steps = arguments.Int("steps", 12);
        double rate = UpdateRate(device, type);
        Print($"update (SGD with noise): {rate / 1e9:N0} GB/s");
        (int Layers, double Seconds, double Bytes) Depth(int layers)
        {
            double seconds = Step(shape, layers, device, type, batch, time, steps), update = 3.0 * bytes * NamedShapes.ShapeOf(shape, layers).ParameterCount;
            Print($"{shape}, {layers} layers: {seconds * 1e3:0.00} ms a step, {batch * time / seconds:N0} tokens/s");
            return (layers, seconds, update);
        }
        var compute = MeasuredCompute.From(Depth(depths[0]), Depth(depths[1]), rate);
        Print($"fitted: {compute.LayerSeconds * 1e3:0.000} ms a layer, {compute.RestSeconds * 1e3:0.000} ms for the rest");
        var measured = Depth(check);
        double predicted = ScalingModel.Predict(compute, Shape(shape, check, bytes, 3, 1), Links[0], 1).Seconds, error = (predicted / measured.Seconds) - 1;
        bool fits = Math.Abs(error) <= 0.05;
        Print($"predicted for {check} layers: {predicted * 1e3:0.00} ms, {error * 100:+0.0;-0.0}% off the measured step{(fits ? "" : "; CHECK FAILED: more than 5%")}");
        return (compute, fits);
    }

    private static void Table(string shape, int layers, MeasuredCompute compute, int tokens, double updateBytes, string microBatches)
    {
        foreach (int micro in microBatches.Split(',').Select(m => int.Parse(m, CultureInfo.InvariantCulture)))
        {
            Print($"\n{shape}, {layers} layers, bfloat16, {micro} micro-batches of {tokens} tokens a device and step");
            Print($"| links | devices | ms a step | exposed communication, ms | links busy, ms | tokens/s | efficiency |");
            Print($"| --- | --- | --- | --- | --- | --- | --- |");
            var step = Shape(shape, layers, 2, updateBytes, micro);
            foreach (var links in Links)
            {
                foreach (int devices in new[] { 1, 2, 4, 8, 64 })
                {
                    var p = ScalingModel.Predict(compute, step, links, devices);
                    Print($"| {(devices == 1 ? links.Name : "")} | {devices} | {p.Seconds * 1e3:N1} | {p.Exposed * 1e3:N1} | {p.Communicating * 1e3:N1} | {(double)devices * micro * tokens / p.Seconds:N0} | {p.Efficiency:0.000} |");
                }
            }
        }
    }

    private static StepShape Shape(string name, int layers, int bytes, double updateBytes, int micro)
    {
        var s = NamedShapes.ShapeOf(name, layers);
        long c = s.HiddenSize, query = (long)s.Heads * s.HeadSize, keyValue = (long)s.KeyValueHeads * s.HeadSize;
        var type = bytes == 2 ? ScalarType.BFloat16 : ScalarType.Float32;
        List<(long, ScalarType)> parameters = [(s.VocabularySize * c, type)];
        for (int i = 0; i < layers; i++)
            parameters.AddRange(new[] { c, query * c, keyValue * c, keyValue * c, query * c, c, s.IntermediateSize * c, s.IntermediateSize * c, s.IntermediateSize * c }.Select(n => (n, type)));
        parameters.AddRange([(c, type), (s.VocabularySize * c, type)]);
        return new StepShape(layers, [.. BucketLayout.Of(parameters, 64).Buckets.Select(b => (double)b.Length * bytes)], updateBytes, micro);
    }

    private static double Step(string shape, int layers, Device device, ScalarType type, int batch, int time, int steps)
    {
        using var model = NamedShapes.Create(shape, layers, device, type, 1);
        var random = new Random(1);
        int[][] samples = [.. Enumerable.Range(0, batch).Select(_ => Enumerable.Range(0, time + 1).Select(_ => random.Next(model.Shape.VocabularySize)).ToArray())];
        using var trainer = new DpSgdTrainer(model, null, samples, new DpSgdSettings
        {
            NoiseMultiplier = 1,
            Sampling = ExampleSampling.FixedSize,
            LogicalBatch = batch,
            PhysicalBatch = batch,
            SequenceLength = time,
            LearningRate = 1e-3,
            Seed = 1,
        });
        return Median(5, () =>
        {
            for (int i = 0; i < steps; i++)
                trainer.Step();
        }, device) / steps;
    }

    private static double UpdateRate(Device device, ScalarType type)
    {
        const long elements = 1L << 26;
        using var scope = NewDisposeScope();
        var kernels = DpKernels.For(device);
        Tensor weights = zeros([elements], type, device), sums = zeros([elements], type, device);
        var rule = OptimizerStep.Of(DpOptimizer.Sgd, 1, 0.1, 1, 0, 0, 0.9, 0.999, 1e-8);
        int calls = device.type == DeviceType.CUDA ? 20 : 1;
        double seconds = Median(3, () =>
        {
            for (int i = 0; i < calls; i++)
                kernels.Update(weights, sums, null, null, rule, new NoiseDraw(1, (uint)i, 0, 1));
        }, device) / calls;
        return 3.0 * elements * weights.ElementSize / seconds;
    }

    // Of several turns, after one to warm up.
    private static double Median(int turns, Action work, Device device)
    {
        work();
        Wait(device);
        var times = new double[turns];
        for (int i = 0; i < turns; i++)
        {
            long began = Stopwatch.GetTimestamp();
            work();
            Wait(device);
            times[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        Array.Sort(times);
        return times[turns / 2];
    }
}
