using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Cli.Progress;
using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Partition;

namespace Chorus.Cli.Commands.Data;

/// <summary><c>chorus data partition</c>: divides a corpus' private texts among clients anew.</summary>
internal static class PartitionCommand
{
    private const int LargestClient = 64;

    public static Command Create()
    {
        var source = new Argument<string>("DIR") { Description = "A folder with train_clients.json, eval.json and initial_set.json." };
        var by = new Option<string>("--by") { Description = "natural: clients stay who they are, small ones left out, large ones cut; fixed: all of one size; power-law: sizes by a power law; dirichlet: each with a mixture of topics of its own.", Required = true };
        by.AcceptOnlyFromAmong("natural", "fixed", "power-law", "dirichlet");
        var clients = new Option<int?>("--clients") { Description = "Clients to make, or to keep. Default: as many as the texts suffice for.", HelpName = "N" };
        var texts = new Option<int>("--texts") { Description = "fixed, dirichlet: texts a client.", DefaultValueFactory = _ => 8 };
        var exponent = new Option<double?>("--exponent") { Description = "power-law (default 1.5), dirichlet: a client has n texts with a probability proportional to n^-EXPONENT.", HelpName = "EXPONENT" };
        var minTexts = new Option<int>("--min-texts") { Description = "natural, power law: fewest texts of a client.", DefaultValueFactory = _ => 1 };
        var maxTexts = new Option<int?>("--max-texts") { Description = $"natural, power law: most texts of a client. Default: {LargestClient} for a power law, all for natural.", HelpName = "N" };
        var alpha = new Option<double>("--alpha") { Description = "dirichlet: concentration; small is far from IID.", DefaultValueFactory = _ => 0.3 };
        var topics = new Option<int>("--topics") { Description = "dirichlet: topics made of the public texts where the data names none.", DefaultValueFactory = _ => 16 };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same bytes.", DefaultValueFactory = _ => 1 };
        var output = DataCommand.Output();
        var command = new Command("partition", "Divides a corpus' private texts among clients anew.") { source, by, clients, texts, exponent, minTexts, maxTexts, alpha, topics, seed, output };
        command.SetAction(async (parsed, ct) =>
        {
            await Task.Yield();
            var kind = parsed.GetValue(by) switch
            {
                "natural" => PartitionKind.Natural,
                "fixed" => PartitionKind.Fixed,
                "power-law" => PartitionKind.PowerLaw,
                _ => PartitionKind.Dirichlet,
            };
            Option[] useless = kind switch
            {
                PartitionKind.Natural => [texts, exponent, alpha, topics],
                PartitionKind.Fixed => [exponent, minTexts, maxTexts, alpha, topics],
                PartitionKind.PowerLaw => [texts, alpha, topics],
                _ => parsed.GetValue(exponent) is null ? [minTexts, maxTexts] : [texts],
            };
            if (useless.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } option)
                throw new SettingsException($"{option.Name} plays no part in --by {parsed.GetValue(by)}{(kind == PartitionKind.Dirichlet ? $" {(option == texts ? "with" : "without")} --exponent" : "")}");
            var law = kind == PartitionKind.PowerLaw ? parsed.GetValue(exponent) ?? 1.5 : parsed.GetValue(exponent);
            var settings = DataCommand.Checked(() => new PartitionSettings
            {
                Kind = kind,
                Clients = parsed.GetValue(clients),
                Texts = parsed.GetValue(texts),
                Exponent = law,
                MinTexts = parsed.GetValue(minTexts),
                MaxTexts = parsed.GetValue(maxTexts) ?? (law is null ? int.MaxValue : LargestClient),
                Alpha = parsed.GetValue(alpha),
                Topics = parsed.GetValue(topics),
                Seed = parsed.GetValue(seed),
            });
            if (settings.MaxTexts < settings.MinTexts)
                throw new SettingsException($"--max-texts must be at least --min-texts, {settings.MinTexts}, got {settings.MaxTexts}");
            var folder = Path.GetFullPath(parsed.GetValue(output)!);
            using var corpus = FederatedCorpus.Open(parsed.GetValue(source)!);
            PartitionSummary summary;
            await using (var progress = RunProgressView.Create())
                summary = CorpusPartition.Run(corpus, settings, folder, progress.Counter("partition", corpus.Clients.Count), ct);
            var writer = parsed.InvocationConfiguration.Output;
            DataCommand.Line(writer, "clients", $"{summary.Clients:N0}");
            DataCommand.Line(writer, "texts", $"{summary.Texts:N0}; left out: {summary.LeftOut:N0}");
            if (summary.Topics.Count > 0)
                DataCommand.Line(writer, "topics", string.Join("; ", summary.Topics));
            writer.WriteLine(folder);
            return ExitCode.Done;
        });
        return command;
    }
}
