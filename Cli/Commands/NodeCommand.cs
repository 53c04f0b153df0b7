using System.CommandLine;
using Akka.Actor;
using Akka.Cluster;
using Chorus.Actors.Hosting;
using Chorus.Actors.Settings;
using Chorus.Cli.Monitoring;
using Chorus.Gpu.Runtime;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus node</c>: one member of a cluster that <c>chorus simulate</c> or <c>chorus train</c> drives.</summary>
internal static class NodeCommand
{
    private static readonly Option<string> Roles = new("--roles") { Description = "client, policy, trainer; separated by commas.", DefaultValueFactory = _ => "client" };
    private static readonly Option<string?> Config = new("--config") { Description = "A HOCON file with node { host, port, roles, seed-nodes, tls, akka, monitor, monitor-host, otlp }; options win over it.", HelpName = "FILE" };

    private static readonly Option<string> Devices = new("--devices") { Description = "With the role trainer: what to train on, one rank each; cuda:0,cuda:1, cpu, or auto for every GPU there is.", DefaultValueFactory = _ => "auto", HelpName = "D,D" };

    private static readonly TimeSpan PatienceToJoin = TimeSpan.FromSeconds(15);

    public static Command Create()
    {
        var command = new Command("node", "Joins a cluster and carries clients (or the policy, or the trainer) for its run.") { Roles, Config, Devices };
        MemberOptions.AddTo(command);
        NodeMonitor.AddTo(command);
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        var file = parsed.GetValue(Config) is { } path ? NodeFile.Read(path) : null;
        var options = Options(parsed, file);
        using var certificate = options.Tls;
        await using var monitor = await NodeMonitor.StartAsync(parsed, file);
        if (options.Roles.Contains("policy"))
            TorchRuntime.Prepare();
        var seeds = string.Join(" or ", options.SeedNodes);
        var output = parsed.InvocationConfiguration.Output;
        output.WriteLine($"node with roles {string.Join(", ", options.Roles)}, joining {seeds}");
        while (!ct.IsCancellationRequested)
        {
            // A node outlives the coordinator: when that is gone, it leaves and waits for the run to be resumed.
            await using var node = await ChorusNode.StartAsync(options);
            monitor.Watch(node);
            var (joined, lost) = (Signal(), Signal());
            node.System.ActorOf(Props.Create(() => new CoordinatorWatch(joined, lost)), "coordinator-watch");
            var over = Task.WhenAny(lost.Task, node.System.WhenTerminated, node.TurnedAway, Task.Delay(Timeout.Infinite, ct));
            if (await Task.WhenAny(joined.Task, over, Task.Delay(PatienceToJoin, ct)) is var first && first != joined.Task && !over.IsCompleted && !ct.IsCancellationRequested)
                output.WriteLine($"no answer from {seeds} yet: is 'chorus simulate' or 'chorus train' with --nodes N --host HOST --port PORT running there? Still trying (Ctrl-C ends)");
            await Task.WhenAny(joined.Task, over);
            if (joined.Task.IsCompleted)
                output.WriteLine($"joined as {node.Address}");
            await over;
            if (node.TurnedAway.IsCompletedSuccessfully)
                throw new SettingsException(await node.TurnedAway);
            if (!ct.IsCancellationRequested)
                output.WriteLine("the coordinator has left; waiting for a run to join (Ctrl-C ends)");
        }

        return ExitCode.Done;
    }

    private static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static NodeOptions Options(ParseResult parsed, NodeFile? file)
    {
        var roles = MemberOptions.Given(parsed, Roles) ? parsed.GetValue(Roles)! : file?.Roles ?? parsed.GetValue(Roles)!;
        var options = MemberOptions.Read(parsed, roles.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries), file);
        if (options.Roles.Contains("coordinator"))
            throw new SettingsException("the coordinator is 'chorus simulate' itself: leave the role coordinator out");
        if (options.Roles.Contains("trainer"))
            options = options with { TrainerDevices = TrainerDevices.Read(parsed.GetValue(Devices)!) };
        return options.SeedNodes.Count > 0 ? options : throw new SettingsException("a node joins a cluster: name one of its nodes with --seed-node host:port");
    }

    /// <summary>Tells when this node has joined, and when the one that carries the run has left.</summary>
    private sealed class CoordinatorWatch : UntypedActor
    {
        private readonly TaskCompletionSource _joined;
        private readonly TaskCompletionSource _lost;

        public CoordinatorWatch(TaskCompletionSource joined, TaskCompletionSource lost) => (_joined, _lost) = (joined, lost);

        protected override void PreStart()
        {
            var cluster = Cluster.Get(Context.System);
            cluster.RegisterOnMemberUp(() => _joined.TrySetResult());
            cluster.Subscribe(Self, typeof(ClusterEvent.MemberRemoved));
        }

        protected override void PostStop() => Cluster.Get(Context.System).Unsubscribe(Self);

        protected override void OnReceive(object message)
        {
            if (message is ClusterEvent.MemberRemoved removed && removed.Member.HasRole("coordinator"))
                _lost.TrySetResult();
        }
    }
}
