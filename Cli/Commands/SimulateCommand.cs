using System.CommandLine;
using System.Globalization;
using System.Text;
using Akka.Configuration;
using Chorus.Actors.Hosting;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Cli.Monitoring;
using Chorus.Cli.Progress;
using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus simulate</c>: a whole run, in one process or with the help of <c>chorus node</c>s.</summary>
internal static class SimulateCommand
{
    private static readonly Option<string> Run = new("--run") { Description = "A run file, or the name of one that ships with Chorus.", DefaultValueFactory = _ => "quickstart", HelpName = "FILE" };
    private static readonly Option<string?> Data = new("--data") { Description = "A folder with train_clients.json, eval.json and initial_set.json.", HelpName = "DIR" };
    private static readonly Option<string?> Out = new("--out") { Description = "The run's folder. Default: a new one below runs/.", HelpName = "DIR" };
    private static readonly Option<int?> Rounds = new("--rounds") { Description = "Rounds of feedback and tuning.", HelpName = "N" };
    private static readonly Option<int?> Clients = new("--clients") { Description = "How many clients: synthesised, or the first ones of --data.", HelpName = "N" };
    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Everything random derives from it.", HelpName = "S" };
    private static readonly Option<double?> Epsilon = new("--epsilon") { Description = "The privacy budget; the noise is derived from it.", HelpName = "E" };
    private static readonly Option<string?> Ledger = new("--ledger") { Description = "A folder with the privacy ledger that all runs on this data share.", HelpName = "DIR" };
    private static readonly Option<double?> LedgerEpsilon = new("--ledger-epsilon") { Description = "What all runs on the shared ledger may spend together; given when it is new.", HelpName = "E" };
    private static readonly Option<string?> Device = new("--device") { Description = "auto, cpu, cuda or cuda:N.", HelpName = "D" };
    private static readonly Option<string[]> Set = new("--set") { Description = "Any setting of Hocon/reference.conf, as key=value; repeatable.", HelpName = "KEY=VALUE", DefaultValueFactory = _ => [] };
    private static readonly Option<bool> Diagnostics = new("--diagnostics") { Description = "Also compute what only a simulator can know; marked 'not private'." };
    private static readonly Option<bool> Resume = new("--resume") { Description = "Go on with the run in --out (default: the newest unfinished one below runs/)." };
    private static readonly Option<int> Nodes = new("--nodes") { Description = "Wait for so many cluster members, this one included; with more than one the others carry the clients.", HelpName = "N", DefaultValueFactory = _ => 1 };

    public static Command Create()
    {
        var command = new Command("simulate", "Runs private federated learning over client actors and writes a report.")
        {
            Run, Data, Out, Rounds, Clients, Seed, Epsilon, Ledger, LedgerEpsilon, Device, Set, Diagnostics, Resume, Nodes, RunPage.Port, RunPage.Host,
        };
        MemberOptions.AddTo(command);
        NodeMonitor.AddTo(command);
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        await using var progress = RunProgressView.Create();
        var nodes = parsed.GetValue(Nodes);
        if (nodes is < 1 or > 1000)
            throw new SettingsException($"--nodes must be in [1, 1000], got {nodes}");
        var options = MemberOptions.Read(parsed, nodes > 1 ? ["coordinator", "policy", "trainer"] : NodeOptions.KnownRoles) with { MinimumNodes = nodes };
        using var certificate = options.Tls;
        ChorusNode.Check(options);
        RunPage.Check(parsed);
        await using var monitor = await NodeMonitor.StartAsync(parsed);
        using var context = Prepare(parsed, progress, ct);
        await using var node = await ChorusNode.StartAsync(options with { Run = context });
        monitor.Watch(node);
        progress.Say($"run {context.Run} in {context.Folder.Path}: {context.Clients:N0} clients, {context.Settings.Rounds} rounds, epsilon {context.Settings.Privacy.Epsilon.ToString(CultureInfo.InvariantCulture)} (noise multiplier {context.NoiseMultiplier.ToString("0.###", CultureInfo.InvariantCulture)})");
        if (nodes > 1)
            progress.Say($"waiting for {nodes - 1} more nodes: chorus node --roles client{(certificate is null ? "" : " --tls DIR")} --seed-node {node.Address}");
        await using var page = await RunPage.StartAsync(parsed, node, context, progress);
        var followed = progress.FollowAsync(node.System, context, ct);
        return await Task.WhenAny(followed, node.TurnedAway) == followed ? await followed : throw new SettingsException(await node.TurnedAway);
    }

    private static RunContext Prepare(ParseResult parsed, RunProgressView progress, CancellationToken ct)
    {
        var folder = parsed.GetValue(Out);
        var given = Given(parsed);
        if (parsed.GetValue(Resume))
        {
            var resumed = RunPreparation.Resume(folder ?? RunFolders.NewestUnfinished(), given);
            RequireDevice(resumed.Settings);
            return resumed;
        }

        var settings = RunSettings.From([HoconFiles.Run(parsed.GetValue(Run)!), .. given is { } overrides ? [overrides] : Array.Empty<(string, Config)>()]);
        RequireDevice(settings);
        return RunPreparation.New(
            settings, folder ?? RunFolders.Fresh(settings.Name), progress.Counter("synthesize the corpus", settings.Data.Synthesis?.Clients ?? 0), ct,
            RunPreparation.CheckBudget);
    }

    /// <summary>A device that is not there is known before the run's folder is made.</summary>
    private static void RequireDevice(RunSettings settings)
    {
        TorchRuntime.Prepare(settings.Policy.Threads);
        var device = TorchDevices.Parse(settings.Policy.Device);
        if (settings.Policy.TuningDevices.Select(TorchDevices.Parse).Append(device).Where(d => d.type == DeviceType.CUDA).GroupBy(d => d.index).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new SettingsException($"policy.device and policy.tuning-devices name cuda:{twice.Key} twice: a GPU holds one copy of the policy");
    }

    /// <summary>What the command line sets, as HOCON over the run file; null where it sets nothing.</summary>
    private static (string Name, Config Config)? Given(ParseResult parsed)
    {
        var hocon = new StringBuilder();
        Add("rounds", parsed.GetValue(Rounds));
        Add("seed", parsed.GetValue(Seed));
        Add("privacy.epsilon", parsed.GetValue(Epsilon));
        Add("privacy.ledger", parsed.GetValue(Ledger) is { } ledger ? Path.GetFullPath(ledger) : null);
        Add("privacy.ledger-epsilon", parsed.GetValue(LedgerEpsilon));
        Add("policy.device", parsed.GetValue(Device));
        var data = parsed.GetValue(Data);
        Add("data.directory", data is null ? null : Path.GetFullPath(data));
        Add(data is null ? "data.synthesize.clients" : "clients.limit", parsed.GetValue(Clients));
        if (parsed.GetValue(Diagnostics))
            Add("diagnostics", "on");
        foreach (var (key, value) in parsed.GetValue(Set)!.Select(KeyValue.Parse))
            Add(key, value);
        return hocon.Length == 0 ? null : ("the command line", ConfigurationFactory.ParseString(hocon.ToString()));

        void Add(string key, object? value)
        {
            if (value is not null)
                hocon.Append(KeyValue.ToHocon(key, value));
        }
    }
}
