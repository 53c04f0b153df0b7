using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Encoders;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Cli.Commands.Model;

/// <summary><c>chorus model embed</c>: the embeddings of texts.</summary>
internal static class EmbedCommand
{
    public static Command Create()
    {
        var checkpoint = new Option<string>("--checkpoint") { Description = "A sentence encoder in sentence-transformers layout, or a plain BERT checkpoint.", Required = true, HelpName = "DIR" };
        var file = new Option<string>("--text-file") { Description = "One text a line, or a JSON list of strings.", Required = true, HelpName = "FILE" };
        var output = new Option<string>("--output") { Description = "A safetensors file with the tensor embeddings, float32 [texts, dimension].", Required = true, HelpName = "OUT.safetensors" };
        var device = new Option<string>("--device") { Description = "auto, cpu, cuda or cuda:N.", DefaultValueFactory = _ => "auto", HelpName = "D" };
        var type = new Option<string>("--type") { Description = "Of the model's arithmetic: float32, bfloat16 or float16.", DefaultValueFactory = _ => "float32" };
        type.AcceptOnlyFromAmong("float32", "bfloat16", "float16");
        var command = new Command("embed", "Writes the sentence embeddings of texts.") { checkpoint, file, output, device, type };
        command.SetAction(async (parsed, ct) =>
        {
            var texts = TextFile.Read(parsed.GetValue(file)!);
            TorchRuntime.Prepare();
            using var encoder = SentenceEncoder.Load(parsed.GetValue(checkpoint)!, TorchDevices.Parse(parsed.GetValue(device)!), TypeOf(parsed.GetValue(type)!));
            Write(encoder, texts, Path.GetFullPath(parsed.GetValue(output)!), ct);
            parsed.InvocationConfiguration.Output.WriteLine($"{texts.Length} embeddings of {encoder.Dimension} numbers: {parsed.GetValue(output)}");
            return ExitCode.Done;
        });
        return command;
    }

    private static void Write(SentenceEncoder encoder, string[] texts, string path, CancellationToken ct)
    {
        using var scope = torch.NewDisposeScope();
        var embeddings = new float[checked(texts.Length * encoder.Dimension)];
        encoder.Encode(texts, embeddings, ct);
        SafeTensors.Write(path, new Dictionary<string, torch.Tensor> { ["embeddings"] = torch.tensor(embeddings, [texts.Length, encoder.Dimension]) }, null);
    }

    private static torch.ScalarType TypeOf(string name) => name switch
    {
        "float32" => torch.ScalarType.Float32,
        "bfloat16" => torch.ScalarType.BFloat16,
        "float16" => torch.ScalarType.Float16,
        _ => throw new ArgumentOutOfRangeException(nameof(name), $"--type must be float32, bfloat16 or float16, got {name}"),
    };
}
