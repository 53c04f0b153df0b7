using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Actors.Training;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Runtime;

namespace Chorus.Cli.Commands.Train;

/// <summary>The options of <c>chorus train</c> that say what is trained, on what.</summary>
internal sealed class ModelOptions
{
    private readonly Option<string?> _checkpoint = new("--checkpoint") { Description = "A Llama or GPT-2 model in Hugging Face layout to start from.", HelpName = "DIR" };
    private readonly Option<string?> _shape = new("--shape") { Description = $"In place of it, random weights of a known shape: {string.Join(", ", NamedShapes.Names)}.", HelpName = "NAME" };
    private readonly Option<int?> _layers = new("--layers") { Description = "Layers of the shape, in place of its own number.", HelpName = "K" };
    private readonly Option<string?> _data = new("--data") { Description = "Examples: one text a line, or a JSON list of strings. With --shape their bytes are the tokens.", HelpName = "FILE" };
    private readonly Option<bool> _synthetic = new("--synthetic") { Description = "In place of it, examples of random tokens, for measurements." };
    private readonly Option<int> _examples = new("--examples") { Description = "How many synthetic examples.", DefaultValueFactory = _ => 1024 };
    private readonly Option<string> _device = new("--device") { Description = "auto, cpu, cuda or cuda:N.", DefaultValueFactory = _ => "auto", HelpName = "D" };
    private readonly Option<string?> _devices = new("--devices") { Description = "In place of it several, one rank each: cuda:0,cuda:1; or cpu,cpu for ranks that share the processors.", HelpName = "D,D" };
    private readonly Option<string> _type = TrainOptions.Choice("--dtype", "Of weights, arithmetic and the optimizer's moments.", "float32", "bfloat16", "float64");
    private readonly Option<int?> _rank = new("--lora-rank") { Description = "Train a LoRA adapter of this rank on every linear layer but the head; the model itself stays.", HelpName = "R" };
    private readonly Option<string> _train = TrainOptions.Choice("--train", "Train everything, or the linear layers alone (and not embeddings, head and norms).", "all", "linear");

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _checkpoint, _shape, _layers, _data, _synthetic, _examples, _device, _devices, _type, _rank, _train })
            command.Options.Add(option);
    }

    /// <summary>Checks what needs no model, so that a mistake is told before one is loaded.</summary>
    public void Check(ParseResult parsed)
    {
        if (parsed.GetValue(_checkpoint) is null == parsed.GetValue(_shape) is null)
            throw new SettingsException("give the model by one of --checkpoint and --shape");
        if (parsed.GetValue(_data) is null == !parsed.GetValue(_synthetic))
            throw new SettingsException("give the examples by one of --data and --synthetic");
        if (parsed.GetValue(_shape) is { } shape && !NamedShapes.Names.Contains(shape))
            throw new SettingsException($"--shape must be one of {string.Join(", ", NamedShapes.Names)}, got {shape}");
        if (parsed.GetValue(_layers) is { } layers && (layers < 1 || parsed.GetValue(_shape) is null))
            throw new SettingsException($"--layers needs --shape and at least 1, got {layers}");
        if (parsed.GetValue(_examples) < 1)
            throw new SettingsException($"--examples must be at least 1, got {parsed.GetValue(_examples)}");
    }

    /// <summary>The file of texts; null where the examples are synthetic.</summary>
    public string? Data(ParseResult parsed) => parsed.GetValue(_data) is { } file ? Path.GetFullPath(file) : null;

    /// <summary>How many synthetic examples.</summary>
    public int Synthetic(ParseResult parsed) => parsed.GetValue(_examples);

    /// <summary>The devices of this process, one for each rank.</summary>
    /// <exception cref="DeviceNotFoundException">One is not here.</exception>
    public IReadOnlyList<string> Devices(ParseResult parsed)
    {
        if (parsed.GetValue(_devices) is { } list && parsed.GetResult(_device) is { Implicit: false })
            throw new SettingsException("give --device or --devices, not both");
        var names = TrainerDevices.Read(parsed.GetValue(_devices) ?? parsed.GetValue(_device)!);
        return names;
    }

    /// <summary>All that a trainer needs to make its model and its examples; files by paths that are the same on every node.</summary>
    public TrainingJob Job(ParseResult parsed, DpSgdSettings settings) => new()
    {
        Checkpoint = parsed.GetValue(_checkpoint) is { } directory ? Path.GetFullPath(directory) : null,
        Shape = parsed.GetValue(_shape),
        Layers = parsed.GetValue(_layers),
        Type = parsed.GetValue(_type)!,
        LoraRank = parsed.GetValue(_rank),
        LinearOnly = parsed.GetValue(_train) == "linear",
        Data = Data(parsed),
        SyntheticExamples = Synthetic(parsed),
        Settings = settings,
    };
}
