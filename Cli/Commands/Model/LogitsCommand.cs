using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Cli.Commands.Model;

/// <summary><c>chorus model logits</c>: a model's logits on given ids, to compare with another implementation's.</summary>
internal static class LogitsCommand
{
    public static Command Create()
    {
        var options = new CheckpointOptions();
        var input = new Option<string>("--input") { Description = "A safetensors file with the tensor input_ids, int64 [batch, time].", Required = true, HelpName = "IN.safetensors" };
        var output = new Option<string>("--output") { Description = "A safetensors file with the tensor logits, float32 [batch, time, vocabulary].", Required = true, HelpName = "OUT.safetensors" };
        var command = new Command("logits", "Writes a model's logits for token ids.") { input, output };
        options.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            return options.Use(parsed, model =>
            {
                using var scope = NewDisposeScope();
                var ids = Read(parsed.GetValue(input)!, model);
                var logits = Logits(model, ids, ct);
                SafeTensors.Write(Path.GetFullPath(parsed.GetValue(output)!), new Dictionary<string, Tensor> { ["logits"] = logits }, null);
                parsed.InvocationConfiguration.Output.WriteLine($"logits [{string.Join(", ", logits.shape)}]: {parsed.GetValue(output)}");
                return ExitCode.Done;
            });
        });
        return command;
    }

    private static Tensor Read(string path, CausalModel model)
    {
        var tensors = CheckpointOptions.Found(() => SafeTensors.Read(path, CPU));
        var ids = tensors.GetValueOrDefault("input_ids") ?? throw new SettingsException($"{path} must hold the tensor input_ids, found {string.Join(", ", tensors.Keys.Order(StringComparer.Ordinal))}");
        if (ids.dim() != 2 || ids.dtype is not (ScalarType.Int64 or ScalarType.Int32) || ids.numel() == 0)
            throw new SettingsException($"{path}: input_ids must be int64 [batch, time], found {ids.dtype} [{string.Join(", ", ids.shape)}]");
        ids = ids.to_type(ScalarType.Int64);
        foreach (var wrong in ids.data<long>().Where(id => id < 0 || id >= model.Shape.VocabularySize).Take(1))
            throw new SettingsException($"{path}: input_ids must be in [0, {model.Shape.VocabularySize}), the model's vocabulary, found {wrong}");
        return ids;
    }

    // Row by row: a batch's logits at once would take the vocabulary's size for every token on the device.
    private static Tensor Logits(CausalModel model, Tensor ids, CancellationToken ct)
    {
        using var inference = inference_mode();
        var logits = empty([ids.shape[0], ids.shape[1], model.Shape.VocabularySize], ScalarType.Float32);
        for (long row = 0; row < ids.shape[0]; row++)
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            logits.narrow(0, row, 1).copy_(model.Forward(ids.narrow(0, row, 1).to(model.Device)).to_type(ScalarType.Float32));
        }
        return logits;
    }
}
