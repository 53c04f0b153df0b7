using System.CommandLine;

namespace Chorus.Cli.Commands.Model;

/// <summary><c>chorus model</c>: looks at and uses one checkpoint, without a run.</summary>
internal static class ModelCommand
{
    public static Command Create()
    {
        var command = new Command("model", "Uses a checkpoint in Hugging Face layout: what it holds, logits, texts, ids of texts, embeddings.");
        command.Subcommands.Add(InfoCommand.Create());
        command.Subcommands.Add(LogitsCommand.Create());
        command.Subcommands.Add(GenerateCommand.Create());
        command.Subcommands.Add(TokenizeCommand.Create());
        command.Subcommands.Add(EmbedCommand.Create());
        return command;
    }
}
