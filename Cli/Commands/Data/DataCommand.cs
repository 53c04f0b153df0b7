using System.CommandLine;
using Chorus.Actors.Settings;

namespace Chorus.Cli.Commands.Data;

/// <summary><c>chorus data</c>: makes a corpus, or says what one holds.</summary>
internal static class DataCommand
{
    public static Command Create()
    {
        var command = new Command("data", "Synthesises, imports or divides a federated corpus, or describes one.");
        command.Subcommands.Add(SynthesizeCommand.Create());
        command.Subcommands.Add(ImportCommand.Create());
        command.Subcommands.Add(PartitionCommand.Create());
        command.Subcommands.Add(DescribeCommand.Create());
        return command;
    }

    /// <summary>The folder that a command makes.</summary>
    internal static Option<string> Output() => new("--out") { Description = "The folder to make.", Required = true, HelpName = "DIR" };

    /// <summary>A value out of range is told with the option's name in place of the property's: EvalClients is --eval-clients.</summary>
    internal static T Checked<T>(Func<T> make)
    {
        try
        {
            return make();
        }
        catch (ArgumentOutOfRangeException e) when (e.ParamName is { } name)
        {
            var option = "--" + string.Concat(name.Select((c, i) => char.IsUpper(c) ? $"{(i > 0 ? "-" : "")}{char.ToLowerInvariant(c)}" : $"{c}"));
            throw new SettingsException(e.Message
                .Replace($" (Parameter '{name}')", "", StringComparison.Ordinal)
                .Replace(name, option, StringComparison.Ordinal));
        }
    }

    /// <summary>Prints a figure with its name.</summary>
    internal static void Line(TextWriter output, string name, string value) => output.WriteLine($"{name,-16}{value}");
}
