using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Cli.Progress;
using Chorus.Simulation.Data;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus data</c>: makes a corpus, or says what one holds.</summary>
internal static class DataCommand
{
    public static Command Create()
    {
        var command = new Command("data", "Synthesises a federated corpus, or describes one.");
        command.Subcommands.Add(Synthesize());
        command.Subcommands.Add(Describe());
        return command;
    }

    private static Command Synthesize()
    {
        var defaults = new SynthesisSettings();
        var flavour = new Option<CorpusFlavour>("--flavour") { Description = "congress or biorxiv.", DefaultValueFactory = _ => defaults.Flavour };
        var clients = new Option<int>("--clients") { Description = "Private clients.", DefaultValueFactory = _ => defaults.Clients };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same bytes.", DefaultValueFactory = _ => 1 };
        var alpha = new Option<double>("--alpha") { Description = "Dirichlet concentration of a client's topics; small is far from IID.", DefaultValueFactory = _ => defaults.Alpha };
        var initial = new Option<int>("--initial-texts") { Description = "Texts of the public initial set.", DefaultValueFactory = _ => defaults.InitialTexts };
        var eval = new Option<int>("--eval-clients") { Description = "Held-out clients.", DefaultValueFactory = _ => defaults.EvalClients };
        var output = new Option<string>("--out") { Description = "The folder to make.", Required = true, HelpName = "DIR" };
        var command = new Command("synthesize", "Writes a LargeFedBench-shaped corpus of invented people.") { flavour, clients, seed, alpha, initial, eval, output };
        command.SetAction(async (parsed, ct) =>
        {
            var folder = Path.GetFullPath(parsed.GetValue(output)!);
            if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
                throw new SettingsException($"{folder} is not empty: choose another --out");
            var settings = new SynthesisSettings
            {
                Flavour = parsed.GetValue(flavour),
                Clients = parsed.GetValue(clients),
                Seed = parsed.GetValue(seed),
                Alpha = parsed.GetValue(alpha),
                InitialTexts = parsed.GetValue(initial),
                EvalClients = parsed.GetValue(eval),
            };
            await using (var progress = RunProgressView.Create())
                CorpusSynthesizer.Write(settings, folder, progress.Counter("synthesize", settings.Clients), ct);
            parsed.InvocationConfiguration.Output.WriteLine(folder);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Describe()
    {
        var folder = new Argument<string>("DIR") { Description = "A folder with train_clients.json, eval.json and initial_set.json." };
        var command = new Command("describe", "Counts clients, texts and words of a corpus.") { folder };
        command.SetAction(parsed =>
        {
            using var corpus = FederatedCorpus.Open(parsed.GetValue(folder)!);
            parsed.InvocationConfiguration.Output.WriteLine(CorpusDescription.Of(corpus).ToString());
            return ExitCode.Done;
        });
        return command;
    }
}
