using System.CommandLine;
using Akka.Actor;
using Akka.Cluster;
using Chorus.Actors.Hosting;
using Chorus.Actors.Settings;
using Chorus.Gpu.Runtime;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus node</c>: one member of a cluster that <c>chorus simulate</c> drives.</summary>
internal static class NodeCommand
{
    private static readonly Option<string> Roles = new("--roles") { Description = "client, policy, trainer; separated by commas.", DefaultValueFactory = _ => "client" };
    private static readonly Option<string[]> SeedNode = new("--seed-node") { Description = "host:port of a node to join; repeatable.", DefaultValueFactory = _ => [] };
    private static readonly Option<string?> Config = new("--config") { Description = "A HOCON file with node { host, port, roles, seed-nodes }; options win over it.", HelpName = "FILE" };
    private static readonly Option<string> Host = new("--host") { Description = "The address that other nodes reach this one by.", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<int> Port = new("--port") { Description = "The port to listen on; 0 takes a free one.", DefaultValueFactory = _ => 0 };

    public static Command Create()
    {
        var command = new Command("node", "Joins a cluster and carries clients (or the policy, or the trainer) for its run.") { Roles, SeedNode, Config, Host, Port };
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        var options = Options(parsed);
        if (options.Roles.Contains("policy") || options.Roles.Contains("trainer"))
            TorchRuntime.Prepare();
        Console.WriteLine($"node with roles {string.Join(", ", options.Roles)}, joining {string.Join(", ", options.SeedNodes)}");
        while (!ct.IsCancellationRequested)
        {
            // A node outlives the coordinator: when that is gone, it leaves and waits for the run to be resumed.
            await using var node = await ChorusNode.StartAsync(options);
            var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            node.System.ActorOf(Props.Create(() => new CoordinatorWatch(lost)), "coordinator-watch");
            await Task.WhenAny(lost.Task, node.System.WhenTerminated, Task.Delay(Timeout.Infinite, ct));
            if (!ct.IsCancellationRequested)
                Console.WriteLine("the coordinator is gone; waiting for it to come back");
        }

        return ExitCode.Done;
    }

    private static NodeOptions Options(ParseResult parsed)
    {
        var (roles, host, port, seeds) = (parsed.GetValue(Roles)!, parsed.GetValue(Host)!, parsed.GetValue(Port), parsed.GetValue(SeedNode)!);
        if (parsed.GetValue(Config) is { } file)
        {
            var config = HoconFiles.Read(file).GetConfig("node")
                ?? throw new SettingsException($"{file}: expected node {{ host, port, roles, seed-nodes }}");
            if (!Explicit(parsed, Roles) && config.HasPath("roles"))
                roles = string.Join(',', config.GetStringList("roles"));
            if (!Explicit(parsed, Host) && config.HasPath("host"))
                host = config.GetString("host");
            if (!Explicit(parsed, Port) && config.HasPath("port"))
                port = config.GetInt("port");
            if (seeds.Length == 0 && config.HasPath("seed-nodes"))
                seeds = [.. config.GetStringList("seed-nodes")];
        }

        var list = roles.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (list.Contains("coordinator"))
            throw new SettingsException("the coordinator is 'chorus simulate' itself: leave the role coordinator out");
        if (seeds.Length == 0)
            throw new SettingsException("a node joins a cluster: name one of its nodes with --seed-node host:port");
        return new NodeOptions { Roles = list, Host = host, Port = port, SeedNodes = seeds, Policy = Models.Policy, Downstream = Models.Downstream };
    }

    private static bool Explicit(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>Tells when the node that carries the run has left the cluster.</summary>
    private sealed class CoordinatorWatch : ReceiveActor
    {
        public CoordinatorWatch(TaskCompletionSource lost)
        {
            Receive<ClusterEvent.MemberRemoved>(removed =>
            {
                if (removed.Member.HasRole("coordinator"))
                    lost.TrySetResult();
            });
            ReceiveAny(_ => { });
        }

        protected override void PreStart() => Cluster.Get(Context.System).Subscribe(Self, typeof(ClusterEvent.MemberRemoved));

        protected override void PostStop() => Cluster.Get(Context.System).Unsubscribe(Self);
    }
}
