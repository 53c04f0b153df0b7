using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Cli;
using Chorus.Cli.Commands;
using Chorus.Gpu.Runtime;
using Chorus.Simulation.Data;

var root = new RootCommand("Chorus simulates private federated learning on text and trains language models in it.")
{
    SimulateCommand.Create(),
    NodeCommand.Create(),
    ReportCommand.Create(),
    DataCommand.Create(),
    AccountCommand.Create(),
};
Examples.AddTo(root);
var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
        Console.Error.WriteLine($"chorus: {error.Message}");
    Console.Error.WriteLine($"chorus: see 'chorus {string.Join(' ', args.TakeWhile(a => !a.StartsWith('-')).Take(2))} --help'");
    return ExitCode.BadInput;
}

try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(15) });
}
catch (Exception e) when (e is SettingsException or DataFormatException or DeviceNotFoundException or TorchLoadException or ArgumentOutOfRangeException or ArgumentException)
{
    Console.Error.WriteLine($"chorus: {e.Message}");
    return ExitCode.BadInput;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("chorus: stopped");
    return ExitCode.Failed;
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"chorus: {e.Message}");
    return ExitCode.Failed;
}
