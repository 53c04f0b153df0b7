using System.Globalization;
using System.Runtime.InteropServices;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Benchmarks;

/// <summary>Models of known shapes with random weights made on the device, and what machine they run on.</summary>
internal static class BenchmarkModel
{
    private static readonly Dictionary<string, LlamaConfig> Shapes = new()
    {
        // The sizes of ../shared/torchsharp.md's table, and those of Llama 3.2 1B and Llama 3 8B.
        ["1m"] = Small(2048, 128, 352, 4, 4, 2),
        ["4m"] = Small(4096, 256, 640, 4, 8, 4),
        ["1b"] = new() { VocabularySize = 128_256, HiddenSize = 2048, IntermediateSize = 8192, Layers = 16, Heads = 32, KeyValueHeads = 8, HeadSize = 64, RopeTheta = 500_000, MaxLength = 8192, TieEmbeddings = true },
        ["8b"] = new() { VocabularySize = 128_256, HiddenSize = 4096, IntermediateSize = 14_336, Layers = 32, Heads = 32, KeyValueHeads = 8, HeadSize = 128, RopeTheta = 500_000, MaxLength = 8192, TieEmbeddings = false },
    };

    public static IEnumerable<string> Names => [.. Shapes.Keys, "distilgpt2"];

    public static (Device Device, ScalarType Type) Begin(BenchmarkArguments arguments, string device)
    {
        TorchRuntime.Prepare(arguments.Int("threads", 0));
        var type = arguments.Text("dtype", "float32") switch
        {
            "float32" => ScalarType.Float32,
            "bfloat16" => ScalarType.BFloat16,
            var other => throw new ArgumentException($"--dtype must be float32 or bfloat16, got {other}"),
        };
        var found = TorchDevices.Parse(arguments.Text("device", device));
        Print($"machine: {Processor()}, {Environment.ProcessorCount} logical processors, {TorchRuntime.Threads} threads used, {RuntimeInformation.OSDescription}, .NET {Environment.Version}, libtorch from {(TorchRuntime.Folder!.Contains("libtorch", StringComparison.Ordinal) || TorchRuntime.Folder.StartsWith(AppContext.BaseDirectory, StringComparison.Ordinal) ? "the package" : "CHORUS_LIBTORCH")}");
        return (found, type);
    }

    public static CausalModel New(string shape, Device device, ScalarType type)
    {
        CausalModel model = shape == "distilgpt2"
            ? new Gpt2Model(new Gpt2Config { VocabularySize = 50_257, HiddenSize = 768, Layers = 6, Heads = 12 }, new DeviceWeights(device, type))
            : Shapes.TryGetValue(shape, out var config) ? new LlamaModel(config, new DeviceWeights(device, type))
            : throw new ArgumentException($"--shape must be one of {string.Join(", ", Names)}, got {shape}");
        Print($"model: {shape}, {model.Shape.ParameterCount:N0} parameters, {type} on {device}; random weights");
        return model;
    }

    /// <summary>Waits until the device has done all it was given.</summary>
    public static void Wait(Device device)
    {
        if (device.type == DeviceType.CUDA)
            cuda.synchronize(device);
    }

    public static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static LlamaConfig Small(int vocabulary, int hidden, int intermediate, int layers, int heads, int keyValueHeads) => new()
    {
        VocabularySize = vocabulary,
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        Layers = layers,
        Heads = heads,
        KeyValueHeads = keyValueHeads,
        MaxLength = 512,
        TieEmbeddings = true,
    };

    private static string Processor() => File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown processor"
        : RuntimeInformation.ProcessArchitecture.ToString();
}
