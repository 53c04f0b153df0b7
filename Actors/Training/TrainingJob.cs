using System.Text;
using System.Text.Json;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tokenizers;
using TorchSharp;

namespace Chorus.Actors.Training;

/// <summary>What is trained, on what and how: all that a trainer on any machine needs to make its model and its examples. Files lie at the same paths on each.</summary>
public sealed record TrainingJob
{
    /// <summary>A model's folder in Hugging Face layout; null where there is a <see cref="Shape"/>.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>The name of a shape with random weights (<see cref="NamedShapes"/>); null where there is a <see cref="Checkpoint"/>.</summary>
    public string? Shape { get; init; }

    /// <summary>Layers of the shape, in place of its own number.</summary>
    public int? Layers { get; init; }

    /// <summary>float32, bfloat16 or float64.</summary>
    public string Type { get; init; } = "float32";

    /// <summary>Trains a LoRA adapter of this rank in place of the model.</summary>
    public int? LoraRank { get; init; }

    /// <summary>Trains the linear layers alone.</summary>
    public bool LinearOnly { get; init; }

    /// <summary>A file of texts; null: <see cref="SyntheticExamples"/> of random tokens.</summary>
    public string? Data { get; init; }

    public int SyntheticExamples { get; init; }

    public required DpSgdSettings Settings { get; init; }

    private ulong Seed => Settings.Seed ?? 1;

    private torch.ScalarType Scalar => Type switch { "bfloat16" => torch.ScalarType.BFloat16, "float64" => torch.ScalarType.Float64, _ => torch.ScalarType.Float32 };

    public string ToJson() => JsonSerializer.Serialize(this);

    public static TrainingJob FromJson(string json) => JsonSerializer.Deserialize<TrainingJob>(json) ?? throw new JsonException("no job");

    /// <summary>How many examples there are, without a model.</summary>
    /// <exception cref="SettingsException">The file is missing or empty.</exception>
    public static int Count(string? data, int synthetic) => data is null ? synthetic : Texts(data).Length;

    /// <summary>The model's shape, without loading it.</summary>
    /// <exception cref="SettingsException">The checkpoint is missing.</exception>
    public CausalShape ReadShape() => Checkpoint is null ? NamedShapes.ShapeOf(Shape!, Layers) : Found(() => CausalCheckpoint.ReadShape(Checkpoint));

    /// <summary>What each device will need.</summary>
    /// <param name="gpu">Whether the devices are GPUs.</param>
    public MemoryPlan Plan(int ranks, bool gpu)
    {
        var shape = ReadShape();
        int bytes = Scalar switch { torch.ScalarType.BFloat16 => 2, torch.ScalarType.Float64 => 8, _ => 4 };
        return MemoryPlan.Of(shape, MemoryPlan.Trained(shape, LinearOnly, LoraRank), bytes, Settings, ranks, gpu);
    }

    /// <summary>The model on a device, with what is not to be trained frozen; the caller owns both.</summary>
    /// <exception cref="SettingsException">The checkpoint is missing.</exception>
    public (CausalModel Model, LoraAdapter? Adapter) Load(torch.Device device)
    {
        var model = Checkpoint is { } directory
            ? Found(() => CausalCheckpoint.Load(directory, device, new CheckpointLoading { Type = Scalar }))
            : NamedShapes.Create(Shape!, Layers, device, Scalar, Seed);
        if (LinearOnly)
        {
            var trained = model.Projections.SkipLast(1).SelectMany(p => new[] { p.Projection.Weight, p.Projection.Bias }).ToHashSet();
            foreach (var parameter in model.parameters().Where(p => trained.All(t => t?.Handle != p.Handle)))
                parameter.requires_grad = false;
        }
        var adapter = LoraRank is { } rank ? LoraAdapter.Attach(model, new LoraSettings { Rank = rank, TargetPattern = LoraSettings.AllLinear }, Seed) : null;
        return (model, adapter);
    }

    /// <summary>Token ids of each example, no longer than a sequence and its last target. With a shape the texts' bytes are the tokens.</summary>
    /// <exception cref="SettingsException">The file is missing or empty.</exception>
    public IReadOnlyList<int[]> Examples(CausalShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        int longest = Settings.SequenceLength + 1;
        if (Data is null)
        {
            var random = new Random((int)Seed);
            return [.. Enumerable.Range(0, SyntheticExamples).Select(_ => Enumerable.Range(0, longest).Select(_ => random.Next(shape.VocabularySize)).ToArray())];
        }
        var texts = Texts(Data);
        if (Checkpoint is null)
            return [.. texts.Select(t => Encoding.UTF8.GetBytes(t).Take(longest).Select(b => (int)b).ToArray())];
        var tokenizer = PretrainedTokenizer.Load(Checkpoint);
        return [.. texts.Select(t => tokenizer.Encode(t, addSpecialTokens: true).Take(longest).ToArray())];
    }

    private static string[] Texts(string file) => TextFile.Read(file, "--data") is { Length: > 0 } texts ? texts : throw new SettingsException($"--data {file}: there is no text");

    // A file that is not there is the user's mistake, and told as one.
    private static T Found<T>(Func<T> load)
    {
        try
        {
            return load();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new SettingsException(e.Message);
        }
    }
}
