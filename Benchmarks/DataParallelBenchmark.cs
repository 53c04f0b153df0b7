using System.Diagnostics;
using Chorus.Gpu.Collectives;
using Chorus.Gpu.Dpo;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp;
using static Chorus.Benchmarks.BenchmarkModel;
using static TorchSharp.torch;

namespace Chorus.Benchmarks;

/// <summary>Data-parallel training on the GPUs of this machine: private beside non-private, on one, two and all; and whether ranks compute what one does.</summary>
/// <remarks>
/// Weak scaling: every rank computes --micro-batches of --batch examples of random tokens a step, SGD, all parameters trained. Times are of one process; ways are measured
/// in turns (--rounds times --steps, after as many to warm up), and each table gives the median over turns.
/// </remarks>
internal sealed class DataParallelBenchmark
{
    private readonly BenchmarkArguments _arguments;
    private readonly Device[] _devices;
    private readonly ScalarType _type;
    private readonly CollectiveKind _kind;
    private readonly int _batch, _time, _steps, _rounds, _microBatches;
    private bool _failed;

    private DataParallelBenchmark(BenchmarkArguments arguments)
    {
        _arguments = arguments;
        (var first, _type) = Begin(arguments, "cuda");
        int most = arguments.Int("ranks", 0), each = arguments.Int("ranks-per-device", 1);
        _devices = first.type == DeviceType.CUDA
            ? [.. Enumerable.Range(0, cuda.device_count()).SelectMany(i => Enumerable.Repeat(new Device(DeviceType.CUDA, i), each)).Take(most > 0 ? most : int.MaxValue)]
            : [.. Enumerable.Repeat(CPU, most > 0 ? most : 2)];
        _kind = LocalGroup.Resolve(arguments.Text("collective", "auto") switch { "host" => CollectiveKind.Host, "nccl" => CollectiveKind.Nccl, _ => CollectiveKind.Auto }, _devices);
        (_batch, _time, _steps, _rounds, _microBatches) = (arguments.Int("batch", 8), arguments.Int("seq", 1024), arguments.Int("steps", 8), arguments.Int("rounds", 3), arguments.Int("micro-batches", 1));
        Print($"{_devices.Length} ranks on {first.type}, {_type}, collective {_kind}{(_kind == CollectiveKind.Nccl ? $" {NcclCollective.Version}" : "")}; B {_batch} a rank, T {_time}");
    }

    public static int Run(BenchmarkArguments arguments)
    {
        var run = new DataParallelBenchmark(arguments);
        foreach (var part in arguments.Text("parts", "equal,noise,steps,dpo").Split(','))
        {
            switch (part)
            {
                case "equal":
                    run.Equal();
                    break;
                case "noise":
                    run.Noise();
                    break;
                case "steps":
                    foreach (var shape in arguments.Text("shape", "llama-7b,llama-13b").Split(','))
                        run.Steps(shape);
                    break;
                case "dpo":
                    run.Dpo();
                    break;
                default:
                    throw new ArgumentException($"--parts are equal, noise, steps and dpo, got {part}");
            }
        }
        Print($"{(run._failed ? "FAILED: see above" : "all checks passed")}");
        return run._failed ? 1 : 0;
    }

    private IEnumerable<int> Counts => new[] { 1, 2, _devices.Length }.Where(n => n <= _devices.Length).Distinct().Order();

    private CausalModel Model(string shape, int layers, Device device) => NamedShapes.Create(shape, layers, device, _type, 1);

    private int[][] Samples(CausalShape shape, int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, _time + 1).Select(_ => random.Next(shape.VocabularySize)).ToArray())];
    }

    // The clipped sums of n ranks against those of one, which computes the same micro-batches. Attention's backward pass adds up in an order that timing sets, and every
    // rounding to bfloat16 after it makes the difference larger: so what must agree is measured where torch repeats itself, and what else there is beside how far one rank is from itself.
    private void Equal()
    {
        int n = _devices.Length, layers = _arguments.Int("check-layers", 2);
        var shape = _arguments.Text("check-shape", "llama-1b");
        Print($"\nclipped sums of {n} ranks against one rank's, {shape}, {layers} layers, same micro-batches, {_type} products; relative difference (of the worst parameter):");
        Print($"| sums in | torch | {n} ranks, 1 rank | 1 rank, itself | {n} ranks, themselves | 1 rank on the first device, on the last |");
        Print($"| --- | --- | --- | --- | --- | --- |");
        foreach (var (sumType, repeats) in new[] { (ScalarType.Float32, true), (ScalarType.Float32, false), (_type, true) }.Distinct())
        {
            RepeatableTorch.Set(repeats);
            Dictionary<string, Tensor> alone = Sums(_devices[..1], sumType), together = Sums(_devices, sumType);
            Dictionary<string, Tensor>[] others = [Sums(_devices[..1], sumType), Sums(_devices, sumType), Sums(_devices[^1..], sumType)];
            var off = Difference(together, alone);
            Print($"| {sumType} | {(repeats ? "repeats" : "as it comes")} | {off} | {Difference(others[0], alone)} | {Difference(others[1], together)} | {Difference(others[2], alone)} |");
            if (repeats && sumType != ScalarType.BFloat16) // bfloat16 sums are rounded by 2e-3 of themselves wherever they are made
                Check(off.Relative <= 1e-3 && off.Worst <= 1e-3, "the sums of the ranks must be one rank's within 1e-3");
            foreach (var tensor in others.Append(alone).Append(together).SelectMany(s => s.Values))
                tensor.Dispose();
        }
        RepeatableTorch.Set(false);
        OneRank();

        Dictionary<string, Tensor> Sums(Device[] devices, ScalarType sumType) => LocalGroup.Run(devices, _kind, (group, device) =>
        {
            using var model = Model(shape, layers, device);
            using var source = new PrivateGradients(model, null, new ClippingSettings(), DpMethod.Fused);
            using var shards = new ShardedParameters(source.Parameters, group, sumType);
            source.Watch(shards.AwaitWeights, shards.Final);
            shards.BroadcastWeights();
            var mine = Samples(model.Shape, n * _batch).Chunk(_batch).Where((_, i) => i * group.Count / n == group.Rank).ToArray();
            for (int i = 0; i < mine.Length; i++)
            {
                using var scope = NewDisposeScope();
                if (i == mine.Length - 1)
                    shards.Arm();
                var batch = SampleBatch.Of(mine[i], _time, device);
                source.Accumulate(batch.Batch, batch.Lengths, () => batch.Losses(model, SampleLossKind.Mean));
            }
            shards.Reduce();
            for (int b = 0; b < shards.Pieces.Length; b++)
                shards.ShareSums(b);
            group.Complete();
            var sums = group.Rank > 0 ? [] : source.Parameters.ToDictionary(p => p.Name, p => p.Gradient!.to(ScalarType.Float32).cpu().clone().DetachFromDisposeScope());
            source.Clear();
            return sums;
        })[0];
    }

    private static SumDifference Difference(Dictionary<string, Tensor> sums, Dictionary<string, Tensor> others)
    {
        double error = 0, whole = 0;
        var worst = (Name: "none", Relative: 0.0);
        foreach (var (name, other) in others)
        {
            using var scope = NewDisposeScope();
            double off = Square(sums[name] - other), size = Square(other), relative = Math.Sqrt(off / Math.Max(size, 1e-30));
            (error, whole) = (error + off, whole + size);
            worst = relative > worst.Relative ? (name, relative) : worst;
        }
        return new SumDifference(Math.Sqrt(error / whole), worst.Relative, worst.Name);
    }

    // One rank over the collective against none: the change that three steps make to the weights.
    private void OneRank()
    {
        var shape = _arguments.Text("check-shape", "llama-1b");
        List<Tensor> Change(bool collective) => LocalGroup.Run([_devices[0]], _kind, (group, device) =>
        {
            using var model = Model(shape, 1, device);
            var samples = Samples(model.Shape, _batch);
            var settings = new DpSgdSettings
            {
                NoiseMultiplier = 1,
                Sampling = ExampleSampling.FixedSize,
                LogicalBatch = _batch,
                PhysicalBatch = _batch,
                SequenceLength = _time,
                LearningRate = 10,
                Seed = 3,
                Recording = StepRecording.Off,
            };
            using var trainer = new DpSgdTrainer(model, null, samples, settings, group: collective ? group : null);
            var before = trainer.Parameters.Select(p => p.Parameter.detach().cpu().to(ScalarType.Float64)).ToArray();
            for (int i = 0; i < 3; i++)
                trainer.Step();
            group.Complete();
            return trainer.Parameters.Zip(before, (p, b) => (p.Parameter.detach().cpu().to(ScalarType.Float64) - b).DetachFromDisposeScope()).ToList();
        })[0];
        using var scope = NewDisposeScope();
        var (with, without) = (Change(true), Change(false));
        double error = Math.Sqrt(with.Zip(without, (a, b) => Square(a - b)).Sum() / without.Sum(Square));
        Print($"  one rank over {_kind} against no collective, the change of three steps: relative difference {error:0.0e0}");
        Check(error <= 1e-3, "one rank over a collective must train as without");
        foreach (var tensor in with.Concat(without))
            tensor.Dispose();
    }

    // Examples without targets: what moves the weights is the noise, of standard deviation rate sigma C / B however many ranks add it.
    private void Noise()
    {
        const double sigma = 1.5, clip = 2, rate = 40;
        int logical = 8 * _devices.Length;
        Print($"\nnoise of one step on {_devices.Length} ranks, standard deviation over sigma C:");
        var deviations = LocalGroup.Run(_devices, _kind, (group, device) =>
        {
            using var model = Model(_arguments.Text("check-shape", "llama-1b"), 1, device);
            var settings = new DpSgdSettings
            {
                Clipping = new ClippingSettings { Threshold = clip },
                NoiseMultiplier = sigma,
                LogicalBatch = logical,
                PhysicalBatch = 8,
                SequenceLength = 8,
                Sampling = ExampleSampling.FixedSize,
                LearningRate = rate,
                Seed = 3,
            };
            using var trainer = new DpSgdTrainer(model, null, [.. Enumerable.Repeat(new[] { 1 }, logical)], settings, group: group);
            trainer.LoadState(null);
            var before = trainer.Parameters.Select(p => p.Parameter.detach().clone()).ToArray();
            trainer.Step();
            group.Complete();
            double square = 0, count = 0, sum = 0;
            foreach (var (old, p) in before.Zip(trainer.Parameters))
            {
                using var scope = NewDisposeScope();
                square += Square(p.Parameter.detach() - old);
                sum += p.Parameter.detach().to(ScalarType.Float64).sum().item<double>();
                count += old.numel();
                old.Dispose();
            }
            return (StdDev: Math.Sqrt(square / count) * logical / rate / (sigma * clip), Sum: sum);
        });
        Print($"  {string.Join(", ", deviations.Select(d => d.StdDev.ToString("0.0000", System.Globalization.CultureInfo.InvariantCulture)))}");
        Check(deviations.All(d => Math.Abs(d.StdDev - 1) < 0.01), "the noise must have its standard deviation on every rank");
        Check(deviations.All(d => d.Sum == deviations[0].Sum), "all ranks must have the same weights");
    }

    private void Steps(string shape)
    {
        int layers = _arguments.Int("layers", 4);
        Print($"\n{shape}, {layers} layers, embeddings, norms and head, a step of {_microBatches} x {_batch} x {_time} tokens a rank:");
        Print($"| ranks | collective | way | tokens/s | ms a step | of which exposed communication, ms | private over non-private | of {"1 rank without collective"} x ranks | peak memory, MiB |");
        Print($"| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        Dictionary<bool, double> single = [];
        foreach (int n in Counts)
        {
            var rows = LocalGroup.Run([.. _devices.Take(n)], _kind, (group, device) => Measure(shape, layers, group, device, alsoAlone: n == 1))[0];
            foreach (var (collective, isPrivate, step, exposed) in rows)
            {
                if (n == 1 && !collective)
                    single[isPrivate] = step;
                double plain = rows.First(r => r.Collective == collective && !r.Private).Step, tokens = (double)n * _microBatches * _batch * _time;
                Print($"| {n} | {(collective ? _kind.ToString() : "none")} | {(isPrivate ? "fused DP-SGD" : "non-private")} | {tokens / step:N0} | {step * 1e3:0.00} | {exposed * 1e3:0.00} | {(isPrivate ? (plain / step).ToString("0.000", System.Globalization.CultureInfo.InvariantCulture) : "")} | {single[isPrivate] / step:0.000} | {PeakMemory.Bytes(_devices[0]) / 1048576.0:N0} |");
            }
            if (n == 1)
            {
                foreach (bool isPrivate in new[] { false, true })
                {
                    double with = rows.First(r => r.Collective && r.Private == isPrivate).Step;
                    Print($"  one rank over {_kind} against no collective, {(isPrivate ? "private" : "non-private")}: {(with / single[isPrivate] - 1) * 100:+0.00;-0.00}% of the step");
                }
            }
        }
    }

    private List<(bool Collective, bool Private, double Step, double Exposed)> Measure(string shape, int layers, ICollective group, Device device, bool alsoAlone)
    {
        using var model = Model(shape, layers, device);
        var samples = Samples(model.Shape, _microBatches * _batch * group.Count);
        var ways = (alsoAlone ? new[] { (false, false), (false, true), (true, false), (true, true) } : [(true, false), (true, true)]).Select(w => (Collective: w.Item1, Private: w.Item2)).ToArray();
        var times = ways.ToDictionary(w => w, _ => new List<(double Step, double Exposed)>());
        for (int round = 0; round < _rounds; round++)
        {
            foreach (var way in round % 2 == 0 ? ways : ways.Reverse())
            {
                var settings = new DpSgdSettings
                {
                    Method = way.Private ? DpMethod.Fused : DpMethod.None,
                    NoiseMultiplier = way.Private ? 1 : 0,
                    Sampling = ExampleSampling.FixedSize,
                    LogicalBatch = samples.Length,
                    PhysicalBatch = _batch,
                    SequenceLength = _time,
                    Recording = StepRecording.Off, // which a group does not do yet
                    LearningRate = 1e-3,
                    Seed = 1,
                };
                using var trainer = new DpSgdTrainer(model, null, samples, settings, group: way.Collective ? group : null);
                for (int i = 0; i < (round == 0 ? _steps : 2); i++)
                    trainer.Step();
                trainer.Report(); // waits for the device
                Wait(device);
                long began = Stopwatch.GetTimestamp();
                for (int i = 0; i < _steps; i++)
                    trainer.Step(more: i + 1 < _steps);
                Wait(device);
                double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
                times[way].Add((seconds / _steps, trainer.Report().Communication.TotalSeconds / _steps));
            }
        }
        return [.. ways.Select(w => (w.Collective, w.Private, Median(times[w].Select(t => t.Step)), Median(times[w].Select(t => t.Exposed))))];
    }

    private void Dpo()
    {
        var shape = _arguments.Text("dpo-shape", "llama-1b");
        int pairs = _arguments.Int("pairs", 8), tokens = _arguments.Int("pair-tokens", 256), steps = _steps;
        Print($"\nDPO, {shape}, LoRA r 16 on all linear layers, {pairs} pairs a rank of {tokens} + 2 x {tokens} tokens:");
        Print($"| ranks | pairs/s | ms a step | of 1 rank x ranks | last loss |");
        Print($"| --- | --- | --- | --- | --- |");
        double? one = null;
        foreach (int n in Counts)
        {
            var (step, loss) = LocalGroup.Run([.. _devices.Take(n)], _kind, (group, device) =>
            {
                using var model = NamedShapes.Create(shape, _arguments.Text("dpo-layers", "") is { Length: > 0 } l ? int.Parse(l, System.Globalization.CultureInfo.InvariantCulture) : null, device, _type, 1);
                using var adapter = LoraAdapter.Attach(model, new LoraSettings { Rank = 16, TargetPattern = LoraSettings.AllLinear }, 1);
                var random = new Random(1);
                int[] Text() => [.. Enumerable.Range(0, tokens).Select(_ => random.Next(3, model.Shape.VocabularySize))];
                var data = Enumerable.Range(0, pairs * n * steps).Select(_ => new TokenPair(Text(), Text(), Text())).ToArray();
                var trainer = new DpoTrainer(model, adapter, endToken: 2);
                // The reference's log-probabilities come first; the clock starts with the first step's end.
                long began = 0;
                int done = 0;
                var clock = new StepClock(() =>
                {
                    if (++done == 1)
                        began = Stopwatch.GetTimestamp();
                });
                var summary = trainer.Train(data, new DpoSettings { BatchSize = pairs * n, GradientAccumulation = n }, 1, clock, default, group: group);
                Wait(device);
                return (Stopwatch.GetElapsedTime(began).TotalSeconds / (done - 1), summary.LastLoss);
            })[0];
            one ??= step;
            Print($"| {n} | {n * pairs / step:0.0} | {step * 1e3:0.0} | {one / step:0.000} | {loss:0.0000} |");
            Check(double.IsFinite(loss), "the loss of DPO must be finite");
        }
    }

    private void Check(bool holds, string what)
    {
        if (holds)
            return;
        _failed = true;
        Print($"  CHECK FAILED: {what}");
    }

    private static double Square(Tensor x)
    {
        using var scope = NewDisposeScope();
        return x.to(ScalarType.Float64).square().sum().item<double>();
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] ordered = [.. values.Order()];
        return ordered[ordered.Length / 2];
    }

    private readonly record struct SumDifference(double Relative, double Worst, string WorstName)
    {
        public override string ToString() => Relative == 0 ? "none" : FormattableString.Invariant($"{Relative:0.0e0} ({Worst:0.0e0}, {WorstName})");
    }

    private sealed class StepClock(Action tick) : IProgress<int>
    {
        public void Report(int value) => tick();
    }
}
