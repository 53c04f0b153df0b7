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
        var flavour = new Option<string>("--flavour") { Description = "congress or biorxiv.", DefaultValueFactory = _ => "congress" };
        flavour.AcceptOnlyFromAmong("congress", "biorxiv");
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
            var settings = Checked(() => new SynthesisSettings
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

    /// <summary>A value out of range is told with the option's name in place of the property's: EvalClients is --eval-clients.</summary>
    private static SynthesisSettings Checked(Func<SynthesisSettings> make)
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

    private static Command Describe()
    {
        var folder = new Argument<string>("DIR") { Description = "A folder with train_clients.json, eval.json and initial_set.json." };
        var command = new Command("describe", "Counts clients, texts and words of a corpus.") { folder };
        command.SetAction(parsed =>
        {
            using var corpus = FederatedCorpus.Open(parsed.GetValue(folder)!);
            Print(CorpusDescription.Of(corpus), corpus, parsed.InvocationConfiguration.Output);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(CorpusDescription of, FederatedCorpus corpus, TextWriter output)
    {
        Line("folder", corpus.Directory);
        Line("sha256", corpus.Sha256);
        Line("clients", $"{of.Clients:N0}, {of.EmptyClients:N0} of them without a text");
        Line("texts", $"{of.Texts:N0} private, {of.EvalTexts:N0} held out, {of.InitialTexts:N0} public");
        Line("texts a client", Spread(of.ClientSizes));
        Line("words a text", $"{Spread(of.TextWords)}; public: {Spread(of.InitialWords)}");
        Line("words", $"{of.Words:N0}, {of.DistinctWords:N0} different");
        Line("most frequent", string.Join(", ", of.TopWords.Select(w => $"{w.Word} {w.Count:N0}")));

        void Line(string name, string value) => output.WriteLine($"{name,-16}{value}");

        static string Spread(Spread s) => $"{s.Minimum:N0} to {s.Maximum:N0}, median {s.Median:N0}, 95% at most {s.P95:N0}";
    }
}
