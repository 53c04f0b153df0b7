using System.CommandLine;
using System.Text.RegularExpressions;
using Chorus.Actors.Audit;
using Chorus.Actors.Ledger;
using Chorus.Actors.Settings;
using Chorus.Cli;
using Chorus.Cli.Commands;
using Chorus.Cli.Commands.Clusters;
using Chorus.Cli.Commands.Data;
using Chorus.Cli.Commands.Model;
using Chorus.Cli.Commands.Train;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Data;

var root = new RootCommand("Chorus simulates private federated learning on text and trains language models in it.")
{
    SimulateCommand.Create(),
    CompareCommand.Create(),
    NodeCommand.Create(),
    DashboardCommand.Create(),
    ClusterCommand.Create(),
    ReportCommand.Create(),
    DataCommand.Create(),
    AccountCommand.Create(),
    AuditCommand.Create(),
    ModelCommand.Create(),
    TrainCommand.Create(),
};
Examples.AddTo(root);
var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
        Console.Error.WriteLine($"chorus: {InOurWords(error.Message)}");
    Console.Error.WriteLine($"chorus: see 'chorus {string.Join(' ', args.TakeWhile(a => !a.StartsWith('-')).Take(2))} --help'");
    return ExitCode.BadInput;
}

// The parser names types of .NET, and breaks lines.
static string InOurWords(string message) =>
    string.Join(' ', Regex.Replace(message, "as expected type '[^']*?(Int32|UInt64|Double|DateOnly)?\\]?'", match => match.Groups[1].Value switch
    {
        "Int32" or "UInt64" => "as a whole number",
        "Double" => "as a number",
        "DateOnly" => "as a date such as 2024-03-31",
        _ => "here",
    }).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

using var termination = Termination.Of(parsed);
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, termination.Asked);
}
catch (Exception e)
{
    var (code, message) = e switch
    {
        SettingsException or DataFormatException or InvalidDataException or DeviceNotFoundException or TorchLoadException => (ExitCode.BadInput, e.Message),
        // A guard's message says name, range and value; the runtime adds the name of a parameter that no user knows.
        ArgumentException { ParamName: { } parameter } => (ExitCode.BadInput, e.Message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal)),
        ArgumentException => (ExitCode.BadInput, e.Message),
        BudgetRefusedException => (ExitCode.BudgetRefused, e.Message),
        AuditFailedException => (ExitCode.Failed, e.Message),
        OperationCanceledException => (ExitCode.Failed, "stopped"),
        IOException or UnauthorizedAccessException => (ExitCode.Failed, e.Message),
        _ => (ExitCode.Failed, $"this should not happen, and is a mistake in Chorus: {e}"),
    };
    Console.Error.WriteLine($"chorus: {message}");
    return code;
}
