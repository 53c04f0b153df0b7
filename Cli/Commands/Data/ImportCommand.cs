using System.CommandLine;
using Chorus.Actors.Settings;
using Chorus.Cli.Progress;
using Chorus.Gpu.Tokenizers;
using Chorus.Simulation.Data;
using Chorus.Simulation.Data.Import;

namespace Chorus.Cli.Commands.Data;

/// <summary><c>chorus data import</c>: a data folder of LargeFedBench's published files, or of records in parquet or JSON.</summary>
internal static class ImportCommand
{
    private const int PublishedTokens = 64;

    public static Command Create()
    {
        var options = new Options();
        var command = new Command("import", "Makes a data folder of LargeFedBench's published files, or of records in .parquet or .json files.");
        command.Arguments.Add(options.Sources);
        foreach (var option in options.All)
            command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            await Task.Yield();
            return await ImportAsync(options, parsed, ct);
        });
        return command;
    }

    private static async Task<int> ImportAsync(Options options, ParseResult parsed, CancellationToken ct)
    {
        var sources = parsed.GetValue(options.Sources)!;
        var output = Path.GetFullPath(parsed.GetValue(options.Output)!);
        IReadOnlyList<string>? initial = parsed.GetValue(options.Initial) is { } file ? TextListFile.Read(file, FederatedCorpus.MinimumTexts).Texts : null;
        if (sources is [var folder] && PublishedFiles.Names(folder) is { Count: > 0 } names)
            return await PublishedAsync(options, parsed, folder, names, initial, output, ct);
        if (parsed.GetValue(options.Set) is { } set)
            throw new SettingsException($"--set {set} names one of several published data sets, and {string.Join(", ", sources)} is no folder with NAME_train.json and NAME_eval.json");

        string[] files = [.. sources.SelectMany(Files)];
        if (initial is null && sources is [var only] && File.Exists(Path.Combine(only, FederatedCorpus.InitialFile)))
            initial = TextListFile.Read(Path.Combine(only, FederatedCorpus.InitialFile), FederatedCorpus.MinimumTexts).Texts;
        var settings = DataCommand.Checked(() => options.Read(parsed, initial));
        ImportSummary summary;
        await using (var progress = RunProgressView.Create())
            summary = await CorpusImport.RunAsync(files, settings, output, progress.Counter("rows", 0), ct);
        Print(summary, output, parsed.InvocationConfiguration.Output);
        return ExitCode.Done;
    }

    private static async Task<int> PublishedAsync(
        Options options, ParseResult parsed, string folder, IReadOnlyList<string> names, IReadOnlyList<string>? initial, string output, CancellationToken ct)
    {
        if (options.OfRecords.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } useless)
            throw new SettingsException($"{useless.Name} is for records; {folder} holds published files, whose texts are cut and divided already");
        var name = parsed.GetValue(options.Set) ?? (names.Count == 1 ? names[0] : null);
        if (name is null || !names.Contains(name))
            throw new SettingsException($"{folder} holds the data sets {string.Join(", ", names)}: choose one by --set");
        (int Clients, long Texts, int EvalTexts, int InitialTexts) made;
        await using (var progress = RunProgressView.Create())
            made = PublishedFiles.Import(folder, name, initial, output, progress.Counter("clients", 0), ct);
        var writer = parsed.InvocationConfiguration.Output;
        DataCommand.Line(writer, "clients", $"{made.Clients:N0}");
        DataCommand.Line(writer, "texts", $"{made.Texts:N0} private, {made.EvalTexts:N0} held out, {made.InitialTexts:N0} public");
        writer.WriteLine(output);
        return ExitCode.Done;
    }

    /// <summary>A file, or a folder's parquet files, or its JSON files where it has none of those.</summary>
    private static string[] Files(string source)
    {
        if (!Directory.Exists(source))
            return [source];
        foreach (var ending in new[] { "*.parquet", "*.json" })
        {
            string[] files = [.. Directory.EnumerateFiles(source, ending, SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != FederatedCorpus.InitialFile).Order(StringComparer.Ordinal)];
            if (files.Length > 0)
                return files;
        }

        throw new DataFormatException(source, null, "a folder with .parquet or .json files, or with NAME_train.json and NAME_eval.json", "none of them");
    }

    private static void Print(ImportSummary of, string folder, TextWriter output)
    {
        var columns = of.Columns;
        DataCommand.Line(output, "columns", $"text {columns.Text}, client {columns.Client ?? "each row"}, date {columns.Date ?? "not read"}, topic {columns.Topic ?? "none"}, id {columns.Id ?? "none"}");
        DataCommand.Line(output, "rows", $"{of.Rows:N0}; left out: {of.Empty:N0} without text, {of.Incomplete:N0} without client or date, {of.OutOfRange:N0} outside of the dates, {of.Repeated:N0} that came before");
        DataCommand.Line(output, "clients", $"{of.Clients:N0}; left out: {of.SmallClients:N0} with too few texts");
        DataCommand.Line(output, "texts", $"{of.Texts:N0} private, {of.EvalTexts:N0} held out, {of.InitialTexts:N0} public{(of.EvalOfClients > 0 ? $"; left out: {of.EvalOfClients:N0} held-out ones of clients with private ones" : "")}");
        output.WriteLine(folder);
    }

    private sealed class Options
    {
        public Argument<string[]> Sources { get; } = new("SOURCE")
        {
            Description = "Files of records (.parquet, or .json: a list of objects), a folder of them, or the folder of LargeFedBench's published files (NAME_train.json, NAME_eval.json, initial_set.json).",
            Arity = ArgumentArity.OneOrMore,
        };

        public Option<string> Output { get; } = DataCommand.Output();

        public Option<string> Set { get; } = new("--set") { Description = "Of several published data sets in a folder, which one.", HelpName = "NAME" };

        public Option<string> Initial { get; } = new("--initial") { Description = "A JSON list of public texts. Default: initial_set.json beside the sources.", HelpName = "FILE" };

        private readonly Option<string> _text = new("--text") { Description = "The column of texts. Default: abstract, data, text, content, speech or body.", HelpName = "COLUMN" };
        private readonly Option<string> _client = new("--client") { Description = "The column that says whose a text is; row: each row is a client of its own, as LargeFedBench has it.", HelpName = "COLUMN", DefaultValueFactory = _ => ColumnMap.Row };
        private readonly Option<string> _date = new("--date") { Description = "The column of dates, read where a date is asked for. Default: date_str, date, published or timestamp.", HelpName = "COLUMN" };
        private readonly Option<string> _topic = new("--topic") { Description = "The column of topics, or none. Default: category, topic, subject or label, if there is one.", HelpName = "COLUMN" };
        private readonly Option<string> _id = new("--id") { Description = "The column that names a text: of several versions the first is taken. Default: doi, if there is one; none takes all.", HelpName = "COLUMN" };
        private readonly Option<DateOnly?> _since = new("--since") { Description = "Leave out rows before this date, say those that a published model may have been trained on.", HelpName = "DATE" };
        private readonly Option<DateOnly?> _until = new("--until") { Description = "Leave out rows at or after this date.", HelpName = "DATE" };
        private readonly Option<DateOnly?> _initialBefore = new("--initial-before") { Description = "Rows before this date are public.", HelpName = "DATE" };
        private readonly Option<double> _initialShare = new("--initial-share") { Description = "Share of the clients whose texts are public.", HelpName = "SHARE" };
        private readonly Option<DateOnly?> _evalFrom = new("--eval-from") { Description = "Rows from this date on are held out, those of clients with private texts left out.", HelpName = "DATE" };
        private readonly Option<double?> _evalShare = new("--eval-share") { Description = "Share of the clients whose texts are held out. Default: 0.05, or 0 with --eval-from.", HelpName = "SHARE" };
        private readonly Option<int> _maxTokens = new("--max-tokens") { Description = "Tokens of a text at most; 0 leaves texts whole.", DefaultValueFactory = _ => PublishedTokens };
        private readonly Option<int> _minTokens = new("--min-tokens") { Description = "A long text's rest of fewer tokens is left out.", DefaultValueFactory = _ => 8 };
        private readonly Option<string> _tokenizer = new("--tokenizer") { Description = "A checkpoint whose tokens are counted. Default: words and punctuation marks are.", HelpName = "DIR" };
        private readonly Option<string> _long = new("--long") { Description = "split: a longer text becomes several of its client; cut: its rest is left out.", DefaultValueFactory = _ => "split" };
        private readonly Option<int> _minTexts = new("--min-texts") { Description = "Leave out clients with fewer texts.", DefaultValueFactory = _ => 1 };
        private readonly Option<int?> _maxTexts = new("--max-texts") { Description = "Of a client with more texts take so many, drawn by the seed.", HelpName = "N" };
        private readonly Option<ulong> _seed = new("--seed") { Description = "Decides who is public or held out by share. The same seed gives the same bytes.", DefaultValueFactory = _ => 1 };

        public Options() => _long.AcceptOnlyFromAmong("split", "cut");

        /// <summary>Those that say how records become clients.</summary>
        public Option[] OfRecords =>
            [_text, _client, _date, _topic, _id, _since, _until, _initialBefore, _initialShare, _evalFrom, _evalShare, _maxTokens, _minTokens, _tokenizer, _long, _minTexts, _maxTexts, _seed];

        public Option[] All => [Output, Set, Initial, .. OfRecords];

        public ImportSettings Read(ParseResult parsed, IReadOnlyList<string>? initial)
        {
            var most = parsed.GetValue(_maxTokens);
            Func<string, int>? count = parsed.GetValue(_tokenizer) is { } folder ? Counter(PretrainedTokenizer.Load(folder)) : null;
            return new ImportSettings
            {
                Columns = new ColumnNames(parsed.GetValue(_text), parsed.GetValue(_client), parsed.GetValue(_date), parsed.GetValue(_topic), parsed.GetValue(_id)),
                Cutter = new TextCutter(most == 0 ? null : most, most == 0 ? 0 : Math.Min(parsed.GetValue(_minTokens), Math.Max(most, 0)), parsed.GetValue(_long) == "split", count),
                Since = parsed.GetValue(_since),
                Until = parsed.GetValue(_until),
                InitialBefore = parsed.GetValue(_initialBefore),
                InitialShare = parsed.GetValue(_initialShare),
                EvalFrom = parsed.GetValue(_evalFrom),
                EvalShare = parsed.GetValue(_evalShare) ?? (parsed.GetValue(_evalFrom) is null ? 0.05 : 0),
                // Rows that are to be public take the place of a file that merely lies there.
                Initial = parsed.GetValue(_initialBefore) is not null || parsed.GetValue(_initialShare) > 0 ? (parsed.GetResult(Initial) is null ? null : initial) : initial,
                MinTexts = parsed.GetValue(_minTexts),
                MaxTexts = parsed.GetValue(_maxTexts),
                Seed = parsed.GetValue(_seed),
            };
        }

        private static Func<string, int> Counter(PretrainedTokenizer tokenizer) => text => tokenizer.EncodePlain(text).Length;
    }
}
