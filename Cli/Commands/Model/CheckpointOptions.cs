using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Cli.Commands.Model;

/// <summary>The options of commands that load a causal language model, and the loading.</summary>
internal sealed class CheckpointOptions
{
    private readonly Option<string> _checkpoint = new("--checkpoint") { Description = "A Llama or GPT-2 model in Hugging Face layout: config.json and safetensors.", Required = true, HelpName = "DIR" };
    private readonly Option<string?> _adapter = new("--adapter") { Description = "A LoRA adapter in PEFT's layout, on top of it.", HelpName = "DIR" };
    private readonly Option<string> _device = new("--device") { Description = "auto, cpu, cuda or cuda:N.", DefaultValueFactory = _ => "auto", HelpName = "D" };
    private readonly Option<string> _type = new("--dtype") { Description = "Of the model's weights and arithmetic: float32, bfloat16, float16, or auto (the checkpoint's own).", DefaultValueFactory = _ => "float32" };
    private readonly Option<bool> _exactRotary = new("--exact-rotary") { Description = "Keep rotary frequencies exact where half-precision weights are widened; without it they are rounded as the weights were." };

    public CheckpointOptions() => _type.AcceptOnlyFromAmong("float32", "bfloat16", "float16", "auto");

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _checkpoint, _adapter, _device, _type, _exactRotary })
            command.Options.Add(option);
    }

    public string Checkpoint(ParseResult parsed) => parsed.GetValue(_checkpoint)!;

    /// <summary>Loads the model and its adapter, and disposes both after use.</summary>
    /// <exception cref="SettingsException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">Files that are damaged, or of a kind that is not supported.</exception>
    public int Use(ParseResult parsed, Func<CausalModel, int> use)
    {
        TorchRuntime.Prepare();
        var device = TorchDevices.Parse(parsed.GetValue(_device)!);
        var loading = new CheckpointLoading { Type = TypeOf(parsed.GetValue(_type)!), ExactRotary = parsed.GetValue(_exactRotary) };
        using var model = Found(() => CausalCheckpoint.Load(Checkpoint(parsed), device, loading));
        using var adapter = parsed.GetValue(_adapter) is { } directory ? LoraAdapter.Open(model, directory) : null;
        return use(model);
    }

    /// <summary>A file that is not there is the user's mistake, and told as one.</summary>
    public static T Found<T>(Func<T> load)
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

    private static torch.ScalarType? TypeOf(string name) => name switch
    {
        "float32" => torch.ScalarType.Float32,
        "bfloat16" => torch.ScalarType.BFloat16,
        "float16" => torch.ScalarType.Float16,
        _ => null,
    };
}
