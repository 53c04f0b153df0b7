using System.CommandLine;
using System.Text;
using Chorus.Actors.Settings;
using Chorus.Cli.Commands.Model;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.DpSgd;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using Chorus.Gpu.Tokenizers;

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
    private readonly Option<string> _type = TrainOptions.Choice("--dtype", "Of weights, arithmetic and the optimizer's moments.", "float32", "bfloat16", "float64");
    private readonly Option<int?> _rank = new("--lora-rank") { Description = "Train a LoRA adapter of this rank on every linear layer but the head; the model itself stays.", HelpName = "R" };
    private readonly Option<string> _train = TrainOptions.Choice("--train", "Train everything, or the linear layers alone (and not embeddings, head and norms).", "all", "linear");

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _checkpoint, _shape, _layers, _data, _synthetic, _examples, _device, _type, _rank, _train })
            command.Options.Add(option);
    }

    public string DeviceName(ParseResult parsed) => parsed.GetValue(_device)!;

    public string TypeName(ParseResult parsed) => parsed.GetValue(_type)!;

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

    /// <summary>The model on its device, with what is not to be trained frozen; the caller owns both.</summary>
    public (CausalModel Model, LoraAdapter? Adapter) Load(ParseResult parsed, ulong seed)
    {
        var device = TorchDevices.Parse(DeviceName(parsed));
        var type = TrainOptions.TypeOf(TypeName(parsed));
        var model = parsed.GetValue(_checkpoint) is { } directory
            ? CheckpointOptions.Found(() => CausalCheckpoint.Load(directory, device, new CheckpointLoading { Type = type }))
            : NamedShapes.Create(parsed.GetValue(_shape)!, parsed.GetValue(_layers), device, type, seed);
        if (parsed.GetValue(_train) == "linear")
        {
            var trained = model.Projections.SkipLast(1).SelectMany(p => new[] { p.Projection.Weight, p.Projection.Bias }).ToHashSet();
            foreach (var parameter in model.parameters().Where(p => trained.All(t => t?.Handle != p.Handle)))
                parameter.requires_grad = false;
        }
        var adapter = parsed.GetValue(_rank) is { } rank
            ? LoraAdapter.Attach(model, new LoraSettings { Rank = rank, TargetPattern = LoraSettings.AllLinear }, seed)
            : null;
        return (model, adapter);
    }

    /// <summary>Token ids of each example, no longer than a sequence and its last target.</summary>
    public IReadOnlyList<int[]> Examples(ParseResult parsed, CausalShape shape, int sequenceLength, ulong seed)
    {
        if (parsed.GetValue(_data) is not { } file)
        {
            var random = new Random((int)seed);
            return [.. Enumerable.Range(0, parsed.GetValue(_examples)).Select(_ => Enumerable.Range(0, sequenceLength + 1).Select(_ => random.Next(shape.VocabularySize)).ToArray())];
        }
        var texts = TextFile.Read(file, "--data");
        if (texts.Length == 0)
            throw new SettingsException($"--data {file}: there is no text");
        if (parsed.GetValue(_checkpoint) is { } checkpoint)
        {
            var tokenizer = PretrainedTokenizer.Load(checkpoint);
            return [.. texts.Select(t => tokenizer.Encode(t, addSpecialTokens: true).Take(sequenceLength + 1).ToArray())];
        }
        return [.. texts.Select(t => Encoding.UTF8.GetBytes(t).Take(sequenceLength + 1).Select(b => (int)b).ToArray())];
    }
}
