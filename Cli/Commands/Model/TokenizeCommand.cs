using System.CommandLine;
using System.Text.Json;
using Chorus.Actors.Settings;
using Chorus.Gpu.Tokenizers;

namespace Chorus.Cli.Commands.Model;

/// <summary><c>chorus model tokenize</c>: the ids of texts, and the texts of the ids.</summary>
internal static class TokenizeCommand
{
    // The serializer escapes all that is not ASCII, so that the console's encoding cannot spoil a text.
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static Command Create()
    {
        var checkpoint = new Option<string>("--checkpoint") { Description = "A folder with tokenizer.json; or vocab.json and merges.txt; or vocab.txt.", Required = true, HelpName = "DIR" };
        var file = new Option<string>("--text-file") { Description = "One text a line, or a JSON list of strings.", Required = true, HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print a JSON list with text, ids, ids_no_special and decoded (the text of ids_no_special)." };
        var command = new Command("tokenize", "Prints the token ids of texts.") { checkpoint, file, json };
        command.SetAction(parsed =>
        {
            var texts = TextFile.Read(parsed.GetValue(file)!);
            var tokenizer = PretrainedTokenizer.Load(parsed.GetValue(checkpoint)!);
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
            {
                output.WriteLine(JsonSerializer.Serialize(texts.Select(text => Case(tokenizer, text)), Json));
                return ExitCode.Done;
            }

            foreach (var text in texts)
                output.WriteLine(string.Join(' ', tokenizer.Encode(text, addSpecialTokens: true)));
            return ExitCode.Done;
        });
        return command;
    }

    private static object Case(PretrainedTokenizer tokenizer, string text)
    {
        var plain = tokenizer.Encode(text, addSpecialTokens: false);
        return new { text, ids = tokenizer.Encode(text, addSpecialTokens: true), idsNoSpecial = plain, decoded = tokenizer.Decode(plain, skipSpecialTokens: false) };
    }
}
