using System.Diagnostics;
using Chorus.Gpu.Generation;
using TorchSharp;
using static Chorus.Benchmarks.BenchmarkModel;
using static TorchSharp.torch;

namespace Chorus.Benchmarks;

/// <summary>
/// Tokens a second of sampling: random prompts from a fixed seed, several samples each, no end token, so that every text has
/// its full length. One warm-up and then the timed runs; the median, prompts and weight preparation included. Beside it, on
/// a GPU, the bound: weights and caches read once a step at the bandwidth of a large copy (read and written bytes counted).
/// </summary>
internal static class GenerationBenchmark
{
    public static int Run(BenchmarkArguments arguments)
    {
        var (device, type) = Begin(arguments, "auto");
        int batch = arguments.Int("batch", 256), samples = arguments.Int("samples", 10), prompt = arguments.Int("prompt", 192), longest = arguments.Int("new", 64);
        using var model = New(arguments.Text("shape", "1b"), device, type);
        var random = new Random(1);
        int prompts = Math.Max(1, batch / samples), rows = prompts * samples;
        var ids = Enumerable.Range(0, prompts).Select(_ => Enumerable.Range(0, prompt).Select(_ => random.Next(model.Shape.VocabularySize)).ToArray()).ToArray();
        var settings = new SamplingSettings
        {
            Temperature = arguments.Number("temperature", 1),
            TopK = arguments.Int("top-k", 0),
            TopP = arguments.Number("top-p", 1),
            MaxNewTokens = longest,
        };
        var draw = arguments.Text("draw", "auto");
        var generator = new TextGenerator(model, []) { DrawsOnDevice = draw == "auto" ? device.type != DeviceType.CPU : draw == "device", RecordsSteps = arguments.Text("recorded", "on") == "on" };
        Print($"{rows} rows: {prompts} prompts of {prompt} tokens, {samples} samples each, {longest} new tokens; temperature {settings.Temperature}, top-k {settings.TopK}, top-p {settings.TopP}; drawn on the {(generator.DrawsOnDevice ? "device" : "host")}");

        double Time(SamplingSettings s, ulong seed)
        {
            Wait(device);
            var start = Stopwatch.GetTimestamp();
            var completions = generator.Generate(ids, samples, s, seed, rows, null, default);
            Wait(device);
            if (completions.Sum(c => c.Tokens.Length) != rows * s.MaxNewTokens)
                throw new InvalidOperationException("a text is too short: nothing to measure");
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        double Median(SamplingSettings s)
        {
            Time(s, 1);
            return Enumerable.Range(2, arguments.Int("repeats", 3)).Select(seed => Time(s, (ulong)seed)).Order().ElementAt(arguments.Int("repeats", 3) / 2);
        }
        double all = Median(settings), first = Median(settings with { MaxNewTokens = 1 });
        if (device.type == DeviceType.CUDA)
            Compare(model, ids, samples, settings, rows);
        double step = (all - first) / (longest - 1);
        Print($"{rows * longest / all:N0} new tokens/s ({all:0.000} s; prompts and preparation {first:0.000} s, then {step * 1000:0.00} ms a step, {rows / step:N0} tokens/s)");
        if (device.type == DeviceType.CUDA)
            PrintBound(model.Shape, type, prompts, rows, prompt, longest, step, device);
        return 0;
    }

    // Recorded steps launch what plain ones launch: the tokens must be the same.
    private static void Compare(Gpu.Models.CausalModel model, int[][] ids, int samples, SamplingSettings settings, int rows)
    {
        int[][] Tokens(bool recorded) =>
            [.. new TextGenerator(model, []) { DrawsOnDevice = true, RecordsSteps = recorded }.Generate(ids, samples, settings, 1, rows, null, default).Select(c => c.Tokens.ToArray())];
        var (recorded, again, plain) = (Tokens(true), Tokens(true), Tokens(false));
        static int Equal(int[][] a, int[][] b) => a.Zip(b, (x, y) => (x, y)).Count(p => p.x.SequenceEqual(p.y));
        Print($"texts that are the same: {Equal(recorded, again)} of {rows} recorded twice, {Equal(recorded, plain)} of {rows} recorded and plain");
    }

    private static void PrintBound(Gpu.Models.CausalShape shape, ScalarType type, int prompts, int rows, int prompt, int longest, double step, Device device)
    {
        double size = type == ScalarType.Float32 ? 4 : 2;
        double perToken = 2.0 * shape.Layers * shape.KeyValueHeads * shape.HeadSize * size;
        // The embedding is looked up, not read, unless it is the head too; half of the new tokens are there on average.
        double weights = (shape.ParameterCount - (shape.Family == "llama" && shape.ParameterCount > 7e9 ? (double)shape.VocabularySize * shape.HiddenSize : 0)) * size;
        double cache = perToken * (prompts * (double)prompt + rows * longest / 2.0);
        double bandwidth = CopyBandwidth(device), bound = (weights + cache) / bandwidth;
        Print($"copy bandwidth {bandwidth / 1e9:N0} GB/s; a step reads {weights / 1e9:0.00} GB of weights and {cache / 1e9:0.00} GB of caches: at best {bound * 1000:0.00} ms, so {100 * bound / step:0}% of the bound");
    }

    private static double CopyBandwidth(Device device)
    {
        using var scope = NewDisposeScope();
        const long Bytes = 4L << 30;
        var (from, to) = (zeros([Bytes], ScalarType.Byte, device), zeros([Bytes], ScalarType.Byte, device));
        to.copy_(from);
        Wait(device);
        var start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 10; i++)
            to.copy_(from);
        Wait(device);
        return 10 * 2.0 * Bytes / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
