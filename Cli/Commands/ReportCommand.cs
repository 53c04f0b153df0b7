using System.CommandLine;
using Chorus.Actors.Runs;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus report</c>: writes a run's report.html anew from its result.json.</summary>
internal static class ReportCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "A run's folder." };
        var command = new Command("report", "Writes a finished run's report anew and says where it is.") { folder };
        command.SetAction(parsed =>
        {
            parsed.InvocationConfiguration.Output.WriteLine(RunReport.Rewrite(new RunFolder(parsed.GetValue(folder)!)));
            return ExitCode.Done;
        });
        return command;
    }
}
