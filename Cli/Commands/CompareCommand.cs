using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Akka.Configuration;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Cli.Compare;
using Chorus.Cli.Progress;
using Chorus.Simulation.Report;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus compare</c>: runs what is missing of a table of methods, budgets and seeds, and lays it side by side.</summary>
internal static class CompareCommand
{
    private static readonly Option<string> Run = new("--run") { Description = "A run file, or the name of one that ships with Chorus.", DefaultValueFactory = _ => "quickstart", HelpName = "FILE" };
    private static readonly Option<string> MethodList = new("--methods") { Description = $"Methods, separated by commas, of {string.Join(", ", MethodNames.All)}; the first is what the others are set against. public and private are there anyway.", DefaultValueFactory = _ => "popri,popri-plus,pe,pe-sft,dp-fedavg,dp-ftrl,dp-sgd,untuned", HelpName = "A,B,C" };
    private static readonly Option<string?> Epsilons = new("--epsilons") { Description = "Budgets, separated by commas; inf is no noise. Default: the run file's.", HelpName = "E,F" };
    private static readonly Option<string> Seeds = new("--seeds") { Description = "How many seeds, from the run file's on; or which, separated by commas (3, is seed 3 alone).", DefaultValueFactory = _ => "1", HelpName = "N" };
    private static readonly Option<string?> Out = new("--out") { Description = "The comparison's folder; what it holds is not run again. Default: a new one below runs/.", HelpName = "DIR" };
    private static readonly Option<int> Jobs = new("--jobs") { Description = "Runs at once. Each takes policy.threads processors.", DefaultValueFactory = _ => 1, HelpName = "N" };
    private static readonly Option<int> Gpus = new("--gpus") { Description = "GPUs that runs are spread over, each run seeing one of them. 0: all see what this process sees.", DefaultValueFactory = _ => 0, HelpName = "N" };
    private static readonly Option<string?> Data = new("--data") { Description = "A folder with train_clients.json, eval.json and initial_set.json.", HelpName = "DIR" };
    private static readonly Option<string?> Device = new("--device") { Description = "auto, cpu, cuda or cuda:N.", HelpName = "D" };
    private static readonly Option<string[]> Set = new("--set") { Description = "Any setting of Hocon/reference.conf, as key=value; repeatable.", HelpName = "KEY=VALUE", DefaultValueFactory = _ => [] };

    public static Command Create()
    {
        var command = new Command("compare", "Runs several methods on the same data, as far as that is not done, and writes one page about them.")
        {
            Run, MethodList, Epsilons, Seeds, Out, Jobs, Gpus, Data, Device, Set,
        };
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        await Task.Yield(); // Ctrl-C is heard from the first wait on
        var settings = SettingsOf(parsed);
        var jobs = parsed.GetValue(Jobs);
        if (jobs is < 1 or > 256)
            throw new SettingsException($"--jobs must be in [1, 256], got {jobs}");
        var gpus = GpuShares.Of(parsed.GetValue(Gpus), settings.Policy.Device, Environment.GetEnvironmentVariable(GpuShares.Variable));
        Method[] methods = [.. Listed(parsed.GetValue(MethodList)!).Select(MethodNames.Parse).Distinct()];
        if (methods.Length == 0)
            throw new SettingsException("--methods names none");
        var plan = ComparisonPlan.Of(
            settings, methods, EpsilonsOf(parsed.GetValue(Epsilons), settings), SeedsOf(parsed.GetValue(Seeds)!, settings.Seed), parsed.GetValue(Out) ?? RunFolders.Fresh("comparison"));
        plan.Claim(settings);
        var command = $"chorus compare --run {plan.RunFile} --methods {string.Join(',', methods.Select(m => m.NameOf()))} --epsilons {string.Join(',', plan.Cells.Select(c => c.Epsilon).OfType<double>().Distinct().Select(Text))} --seeds {SeedsText(plan)} --out {plan.Folder}";
        var errors = new ConcurrentDictionary<PlannedCell, string>();
        string page = Write(plan, settings, methods, errors, command);
        await using (var progress = RunProgressView.Create())
            await RunMissingAsync(plan, jobs, gpus, errors, progress, () => Write(plan, settings, methods, errors, command), ct);
        foreach (var (cell, error) in errors)
            Console.Error.WriteLine($"chorus: {Path.GetFileName(cell.Folder)}: {error}");
        Console.WriteLine($"report: {page}");
        return errors.IsEmpty ? ExitCode.Done : ExitCode.Failed;
    }

    private static RunSettings SettingsOf(ParseResult parsed)
    {
        var given = new List<(string Key, string Value)>();
        if (parsed.GetValue(Data) is { } data)
            given.Add(("data.directory", Path.GetFullPath(data)));
        if (parsed.GetValue(Device) is { } device)
            given.Add(("policy.device", device));
        given.AddRange(parsed.GetValue(Set)!.Select(KeyValue.Parse));
        return RunSettings.From(
            HoconFiles.Run(parsed.GetValue(Run)!), ("the command line", ConfigurationFactory.ParseString(string.Concat(given.Select(g => KeyValue.ToHocon(g.Key, g.Value))))));
    }

    private static IEnumerable<string> Listed(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static double[] EpsilonsOf(string? list, RunSettings settings)
    {
        if (list is null)
            return [settings.Privacy.Epsilon];
        double[] epsilons = [.. Listed(list).Select(e => e == "inf" ? double.PositiveInfinity
            : double.TryParse(e, NumberStyles.Float, CultureInfo.InvariantCulture, out var epsilon) && epsilon > 0 && double.IsFinite(epsilon) ? epsilon
            : throw new SettingsException($"--epsilons takes numbers above 0 and inf, separated by commas, got \"{e}\"")).Distinct()];
        return epsilons.Length > 0 ? epsilons : throw new SettingsException("--epsilons names none");
    }

    private static ulong[] SeedsOf(string list, ulong first)
    {
        ulong[] seeds = [.. Listed(list).Select(s => ulong.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new SettingsException($"--seeds takes a number of seeds, or seeds separated by commas, got \"{list}\"")).Distinct()];
        return seeds switch
        {
            [] or [0] or [> 1000] when !list.Contains(',', StringComparison.Ordinal) => throw new SettingsException($"--seeds must be in [1, 1000], got {list}"),
            [var count] when !list.Contains(',', StringComparison.Ordinal) => [.. Enumerable.Range(0, (int)count).Select(i => first + (ulong)i)],
            _ => seeds,
        };
    }

    // One alone has a comma behind it: it would else be a number of seeds.
    private static string SeedsText(ComparisonPlan plan)
    {
        var seeds = plan.Cells.Select(c => c.Seed).Distinct().ToArray();
        return string.Join(',', seeds) + (seeds.Length == 1 ? "," : "");
    }

    /// <summary>Runs cells in their order, as many at once as may be, but none before what it shares has been made by the first that needs it: a seed's floor, its pretrained policy.</summary>
    private static async Task RunMissingAsync(
        ComparisonPlan plan, int jobs, GpuShares gpus, ConcurrentDictionary<PlannedCell, string> errors, RunProgressView progress, Action write, CancellationToken ct)
    {
        var runner = new CellRunner(plan);
        var (done, writing) = (plan.Cells.Count(IsDone), new Lock());
        progress.Say($"comparison in {plan.Folder}: {plan.Cells.Count} runs, {done} of them done");
        PlannedCell[] missing = [.. plan.Cells.Where(c => !IsDone(c))];
        var ended = missing.ToDictionary(c => c, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)); // set under the lock alone
        List<PlannedCell> waiting = [.. missing];
        await Task.WhenAll(Enumerable.Range(0, jobs).Select(i => WorkAsync(gpus.OfWorker(i))));

        async Task WorkAsync(string? gpu)
        {
            while (true)
            {
                PlannedCell? cell;
                Task shared = Task.CompletedTask;
                lock (writing)
                {
                    if (waiting.Count == 0)
                        return;
                    cell = waiting.FirstOrDefault(c => SharesWith(c).All(s => ended[s].Task.IsCompleted));
                    if (cell is not null)
                        waiting.Remove(cell);
                    else // what the first one waits for comes before it, so some worker has it
                        shared = Task.WhenAny(waiting.SelectMany(SharesWith).Select(s => ended[s].Task).Where(t => !t.IsCompleted));
                }

                if (cell is null)
                {
                    await shared;
                    continue;
                }

                try
                {
                    var watch = Stopwatch.StartNew();
                    if (await runner.RunAsync(cell, gpu, ct) is { } error)
                        errors[cell] = error;
                    lock (writing)
                    {
                        done++;
                        progress.Say(FormattableString.Invariant($"{done} of {plan.Cells.Count}: {Path.GetFileName(cell.Folder)} {(errors.ContainsKey(cell) ? "failed" : "done")} in {watch.Elapsed.TotalSeconds:0} s"));
                        write();
                    }
                }
                finally
                {
                    lock (writing)
                        ended[cell].SetResult();
                }
            }
        }

        IEnumerable<PlannedCell> SharesWith(PlannedCell cell)
        {
            var before = missing.TakeWhile(c => c != cell).Where(c => c.Seed == cell.Seed).ToArray();
            return before.Take(1).Concat(before.Where(c => c.Method.WritesTexts() && cell.Method.WritesTexts()).Take(1));
        }
    }

    private static bool IsDone(PlannedCell cell) => new RunFolder(cell.Folder).IsFinished;

    private static string Write(ComparisonPlan plan, RunSettings settings, Method[] methods, ConcurrentDictionary<PlannedCell, string> errors, string command)
    {
        var order = methods.Index().ToDictionary(m => m.Item, m => m.Index);
        var cells = plan.Cells
            .OrderBy(c => order.GetValueOrDefault(c.Method, -1)).ThenBy(c => c.Epsilon).ThenBy(c => c.Seed)
            .Select(c => new ComparisonCell(
                c.Method.NameOf(), c.Epsilon, c.Seed, $"chorus {string.Join(' ', c.Arguments(plan.RunFile, "runs/again"))}",
                IsDone(c) ? RunResultFile.Read(new RunFolder(c.Folder).Result) : null, errors.GetValueOrDefault(c)));
        return ComparisonReport.Write(new Comparison([.. cells]), settings.Name, command, plan.Folder);
    }

    private static string Text(double epsilon) => double.IsPositiveInfinity(epsilon) ? "inf" : epsilon.ToString("R", CultureInfo.InvariantCulture);
}
