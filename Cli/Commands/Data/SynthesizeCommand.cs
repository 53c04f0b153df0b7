using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Cli.Progress;
using Chorus.Simulation.Data;

namespace Chorus.Cli.Commands.Data;

/// <summary><c>chorus data synthesize</c>: a corpus of invented people.</summary>
internal static class SynthesizeCommand
{
    public static Command Create()
    {
        var defaults = new SynthesisSettings();
        var flavour = new Option<string>("--flavour") { Description = "congress or biorxiv.", DefaultValueFactory = _ => "congress" };
        flavour.AcceptOnlyFromAmong("congress", "biorxiv");
        var clients = new Option<int>("--clients") { Description = "Private clients.", DefaultValueFactory = _ => defaults.Clients };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same bytes.", DefaultValueFactory = _ => 1 };
        var alpha = new Option<double>("--alpha") { Description = "Dirichlet concentration of a client's topics; small is far from IID.", DefaultValueFactory = _ => defaults.Alpha };
        var initial = new Option<int>("--initial-texts") { Description = "Texts of the public initial set.", DefaultValueFactory = _ => defaults.InitialTexts };
        var eval = new Option<int>("--eval-clients") { Description = "Held-out clients.", DefaultValueFactory = _ => defaults.EvalClients };
        var output = DataCommand.Output();
        var command = new Command("synthesize", "Writes a LargeFedBench-shaped corpus of invented people.") { flavour, clients, seed, alpha, initial, eval, output };
        command.SetAction(async (parsed, ct) =>
        {
            await Task.Yield(); // Ctrl-C is heard from the first wait on
            var folder = Path.GetFullPath(parsed.GetValue(output)!);
            if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
                throw new SettingsException($"{folder} is not empty: choose another --out");
            var settings = DataCommand.Checked(() => new SynthesisSettings
            {
                Flavour = parsed.GetValue(flavour) == "biorxiv" ? CorpusFlavour.Biorxiv : CorpusFlavour.Congress,
                Clients = parsed.GetValue(clients),
                Seed = parsed.GetValue(seed),
                Alpha = parsed.GetValue(alpha),
                InitialTexts = parsed.GetValue(initial),
                EvalClients = parsed.GetValue(eval),
            });
            await using (var progress = RunProgressView.Create())
                CorpusSynthesizer.Write(settings, folder, progress.Counter("synthesize", settings.Clients), ct);
            parsed.InvocationConfiguration.Output.WriteLine(folder);
            return ExitCode.Done;
        });
        return command;
    }
}
