using System.CommandLine;
using System.Globalization;
using Chorus.Actors.Settings;
using Chorus.Simulation.Data;
using Chorus.Simulation.Report;

namespace Chorus.Cli.Commands.Data;

/// <summary><c>chorus data describe</c>: what a corpus holds, in counts, and as a page with pictures.</summary>
internal static class DescribeCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "A folder with train_clients.json, eval.json and initial_set.json." };
        var topics = new Option<int>("--topics") { Description = "Topics named at most; 0 leaves topics out. Where the data names none, so many clusters of the public texts take their place.", DefaultValueFactory = _ => 12 };
        var html = new Option<string>("--html") { Description = "Also write a page with pictures of client sizes and topics.", HelpName = "FILE" };
        var command = new Command("describe", "Counts clients, texts, words and topics of a corpus.") { folder, topics, html };
        command.SetAction(async (parsed, ct) =>
        {
            await Task.Yield();
            var most = parsed.GetValue(topics);
            var page = parsed.GetValue(html);
            if (most is 1 or < 0 or > 30)
                throw new SettingsException($"--topics must be 0 or in [2, 30], got {most}");
            if (page is not null && most == 0)
                throw new SettingsException("--html draws topics: leave out --topics 0");
            using var corpus = FederatedCorpus.Open(parsed.GetValue(folder)!);
            var description = CorpusDescription.Of(corpus);
            var mixture = most == 0 ? null : CorpusMixture.Of(corpus, most, ct);
            Print(description, mixture, corpus, parsed.InvocationConfiguration.Output);
            if (page is not null)
            {
                CorpusReport.Write(corpus, description, mixture!, Path.GetFullPath(page));
                parsed.InvocationConfiguration.Output.WriteLine(Path.GetFullPath(page));
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(CorpusDescription of, CorpusMixture? mixture, FederatedCorpus corpus, TextWriter output)
    {
        Line("folder", corpus.Directory);
        Line("sha256", corpus.Sha256);
        Line("clients", $"{of.Clients:N0}, {of.EmptyClients:N0} of them without a text");
        Line("texts", $"{of.Texts:N0} private, {of.EvalTexts:N0} held out, {of.InitialTexts:N0} public");
        Line("texts a client", Spread(of.ClientSizes));
        Line("words a text", $"{Spread(of.TextWords)}; public: {Spread(of.InitialWords)}");
        Line("words", $"{of.Words:N0}, {of.DistinctWords:N0} different");
        Line("most frequent", string.Join(", ", of.TopWords.Select(w => $"{w.Word} {w.Count:N0}")));
        if (mixture is null)
            return;
        Line("topics", mixture.Labelled ? "the data's own" : "clusters of the public texts, by their words");
        foreach (var topic in mixture.Topics)
            Line("", $"{Percent(topic.Private)} private, {Percent(topic.HeldOut)} held out, {Percent(topic.Public)} public: {topic.Topic}");
        if (mixture.SameTopic is { } same)
        {
            Line("one topic", $"two texts of a client in {Percent(same)}, of anybody in {Percent(mixture.SameTopicIfAlike)}{(mixture.Alpha is { } alpha && double.IsFinite(alpha) ? string.Create(CultureInfo.InvariantCulture, $": as Dirichlet clients of concentration {alpha:0.###}") : "")}");
        }

        void Line(string name, string value) => DataCommand.Line(output, name, value);

        static string Percent(double? share) => share is { } s ? string.Create(CultureInfo.InvariantCulture, $"{100 * s:0.0}%") : "unknown";

        static string Spread(Spread s) => $"{s.Minimum:N0} to {s.Maximum:N0}, median {s.Median:N0}, 95% at most {s.P95:N0}";
    }
}
