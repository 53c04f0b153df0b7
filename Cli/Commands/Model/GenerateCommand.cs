using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Chorus.Actors.Settings;
using Chorus.Gpu.Checkpoints;
using Chorus.Gpu.Generation;
using Chorus.Gpu.Models;
using Chorus.Gpu.Tokenizers;

namespace Chorus.Cli.Commands.Model;

/// <summary><c>chorus model generate</c>: texts that a model writes on from prompts.</summary>
internal static class GenerateCommand
{
    // The serializer escapes all that is not ASCII, so that the console's encoding cannot spoil a text.
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static Command Create()
    {
        var options = new CheckpointOptions();
        var prompt = new Option<string[]>("--prompt") { Description = "A text to go on from; may be given several times.", DefaultValueFactory = _ => [], HelpName = "TEXT" };
        var file = new Option<string?>("--prompt-file") { Description = "Prompts: one text a line, or a JSON list of strings.", HelpName = "FILE" };
        var samples = new Option<int>("--samples") { Description = "Texts for each prompt.", DefaultValueFactory = _ => 1 };
        var longest = new Option<int>("--max-new-tokens") { Description = "Longest text, in tokens.", DefaultValueFactory = _ => 64 };
        var temperature = new Option<double>("--temperature") { Description = "Logits are divided by it; 0 takes the likeliest token every time.", DefaultValueFactory = _ => 1 };
        var topK = new Option<int>("--top-k") { Description = "Draw from so many of the likeliest tokens; 0 is all.", DefaultValueFactory = _ => 0 };
        var topP = new Option<double>("--top-p") { Description = "Draw from the likeliest tokens that together have this probability.", DefaultValueFactory = _ => 1 };
        var stop = new Option<string[]>("--stop") { Description = "End a text before this string; may be given several times.", DefaultValueFactory = _ => [], HelpName = "TEXT" };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same texts, whatever the batch size.", DefaultValueFactory = _ => 1 };
        var batch = new Option<int>("--batch-size") { Description = "Texts at once; halved where memory does not suffice.", DefaultValueFactory = _ => 64 };
        var json = new Option<bool>("--json") { Description = "Print a JSON list with prompt, sample, text, tokens, ended and stopped_by." };
        var command = new Command("generate", "Writes texts on from prompts.") { prompt, file, samples, longest, temperature, topK, topP, stop, seed, batch, json };
        options.AddTo(command);
        command.SetAction(async (parsed, ct) =>
        {
            string[] prompts = [.. parsed.GetValue(prompt)!, .. parsed.GetValue(file) is { } path ? TextFile.Read(path) : []];
            if (prompts.Length == 0)
                throw new SettingsException("give a text to go on from by --prompt or --prompt-file");
            var (s, k) = (parsed.GetValue(samples), parsed.GetValue(batch));
            if (s < 1 || k < 1)
                throw new SettingsException(string.Create(CultureInfo.InvariantCulture, $"--samples and --batch-size must be at least 1, got {s} and {k}"));
            var settings = Checked(() => new SamplingSettings
            {
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                MaxNewTokens = parsed.GetValue(longest),
                StopStrings = [.. parsed.GetValue(stop)!],
            });
            return options.Use(parsed, model =>
            {
                var tokenizer = PretrainedTokenizer.Load(options.Checkpoint(parsed));
                var ends = EndTokens(options.Checkpoint(parsed), tokenizer, model);
                var ids = prompts.Select((text, i) => Ids(tokenizer, text, i, ends)).ToArray();
                var generator = new TextGenerator(model, ends, tokens => tokenizer.Decode(tokens, skipSpecialTokens: true));
                var completions = generator.Generate(ids, s, settings, parsed.GetValue(seed), k, null, ct);
                Print(completions, s, tokenizer, parsed.GetValue(json), parsed.InvocationConfiguration.Output);
                return ExitCode.Done;
            });
        });
        return command;
    }

    private static int[] EndTokens(string directory, PretrainedTokenizer tokenizer, CausalModel model)
    {
        var named = CausalCheckpoint.EndTokens(directory);
        return [.. (named.Count > 0 ? named : tokenizer.EndOfText is { } end ? [end] : []).Where(id => (uint)id < (uint)model.Shape.VocabularySize)];
    }

    // An empty prompt is the beginning of a text, which a model knows by its own token.
    private static int[] Ids(PretrainedTokenizer tokenizer, string text, int index, int[] ends)
    {
        var ids = tokenizer.Encode(text, addSpecialTokens: true);
        if (ids.Length > 0)
            return ids;
        return (tokenizer.BeginOfText ?? (ends.Length > 0 ? ends[0] : null)) is { } begin ? [begin]
            : throw new SettingsException($"prompt {index} is empty, and the tokenizer names no token that begins a text");
    }

    private static void Print(Completion[] completions, int samples, PretrainedTokenizer tokenizer, bool asJson, TextWriter output)
    {
        var texts = completions.Select(c => c.Cut(tokenizer.Decode(c.Tokens.AsSpan(), skipSpecialTokens: true))).ToArray();
        if (asJson)
        {
            output.WriteLine(JsonSerializer.Serialize(
                completions.Select((c, i) => new { prompt = i / samples, sample = i % samples, text = texts[i], tokens = c.Tokens, c.Ended, c.StoppedBy }), Json));
            return;
        }
        for (int i = 0; i < texts.Length; i++)
        {
            if (texts.Length > 1)
                output.WriteLine($"--- prompt {i / samples}, sample {i % samples}");
            output.WriteLine(texts[i]);
        }
    }

    /// <summary>A value out of range is told with the option's name in place of the property's: TopP is --top-p.</summary>
    private static SamplingSettings Checked(Func<SamplingSettings> make)
    {
        try
        {
            return make();
        }
        catch (ArgumentException e)
        {
            var message = e.Message.Replace(" (Parameter 'value')", "", StringComparison.Ordinal);
            foreach (var (property, option) in new[] { ("Temperature", "--temperature"), ("TopK", "--top-k"), ("TopP", "--top-p"), ("MaxNewTokens", "--max-new-tokens"), ("StopStrings", "--stop") })
                message = message.Replace(property, option, StringComparison.Ordinal);
            throw new SettingsException(message);
        }
    }
}
