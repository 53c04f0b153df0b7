using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Runtime;

namespace Chorus.Cli.Commands.Model;

/// <summary><c>chorus model info</c>: what a checkpoint holds, from its configuration and headers alone.</summary>
internal static class InfoCommand
{
    public static Command Create()
    {
        var checkpoint = new Option<string>("--checkpoint") { Description = "A model in Hugging Face layout: config.json and safetensors.", Required = true, HelpName = "DIR" };
        var adapter = new Option<string?>("--adapter") { Description = "A LoRA adapter in PEFT's layout.", HelpName = "DIR" };
        var tensors = new Option<bool>("--tensors") { Description = "List every tensor with type and shape." };
        var command = new Command("info", "Says what a checkpoint holds, without loading it.") { checkpoint, adapter, tensors };
        command.SetAction(parsed =>
        {
            TorchRuntime.Prepare(); // types and shapes are libtorch's words
            var output = parsed.InvocationConfiguration.Output;
            var info = CheckpointOptions.Found(() => CausalCheckpoint.Describe(parsed.GetValue(checkpoint)!));
            Print(info, output);
            if (parsed.GetValue(adapter) is { } directory)
                PrintAdapter(directory, output);
            if (parsed.GetValue(tensors))
            {
                foreach (var (name, type, shape) in info.Tensors)
                    output.WriteLine($"{name}  {type} [{string.Join(", ", shape)}]");
            }
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(CheckpointInfo info, TextWriter output)
    {
        Line(output, "kind", info.Family);
        if (info.Shape is { } shape)
        {
            Line(output, "vocabulary", $"{shape.VocabularySize:N0}");
            Line(output, "hidden", $"{shape.HiddenSize:N0}, feed-forward {shape.IntermediateSize:N0}");
            Line(output, "layers", $"{shape.Layers:N0}");
            Line(output, "heads", $"{shape.Heads:N0} of size {shape.HeadSize:N0}, {shape.KeyValueHeads:N0} for keys and values");
            Line(output, "context", $"{shape.MaxLength:N0} tokens");
            Line(output, "parameters", $"{shape.ParameterCount:N0}");
            Line(output, "end tokens", info.EndTokens.Count == 0 ? "none named" : string.Join(", ", info.EndTokens));
        }
        else
        {
            Line(output, "parameters", $"{info.Parameters:N0}");
        }
        Line(output, "weights", $"{info.WeightBytes:N0} bytes in {info.Tensors.Count:N0} tensors, most of them {info.Type.ToString().ToLowerInvariant()}");
    }

    private static void PrintAdapter(string directory, TextWriter output)
    {
        var weights = Path.Combine(directory, "adapter_model.safetensors");
        var settings = LoraAdapter.ReadSettings(directory);
        if (!File.Exists(weights))
            throw new SettingsException($"{directory} holds no adapter_model.safetensors");
        var (tensors, numbers) = SafeTensors.Count(weights);
        Line(output, "adapter", FormattableString.Invariant($"LoRA of rank {settings.Rank}, scale {settings.Scale:g6}, dropout {settings.Dropout:g3}, on {settings.TargetPattern ?? string.Join(" ", settings.TargetModules)}"));
        Line(output, "", $"{numbers:N0} parameters in {tensors:N0} tensors");
    }

    private static void Line(TextWriter output, string name, string value) => output.WriteLine($"{name,-16}{value}");
}
