using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.Event;
using Chorus.Actors.Candidates;
using Chorus.Actors.Clients;
using Chorus.Actors.Collection;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Journals;
using Chorus.Actors.Ledger;
using Chorus.Actors.Membership;
using Chorus.Actors.Methods;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Telemetry;
using Chorus.Actors.Training;
using Chorus.Actors.Watch;
using Chorus.Gpu.Runtime;

namespace Chorus.Actors.Hosting;

/// <summary>One process's part of the cluster: its actor system, and on it the actors of its roles.</summary>
public sealed class ChorusNode : IAsyncDisposable
{
    internal const string SystemName = "chorus";
    private const string CoordinatorName = "run-coordinator";
    private const string PolicyName = "policy";
    private const string EvaluatorName = "evaluator";
    private const string BlocksName = "client-blocks";

    /// <summary>The actor, on every node, that tells watchers how the node is.</summary>
    internal const string VitalsName = "vitals";

    private const int Shards = 100;

    private static readonly TimeSpan MetricsEvery = TimeSpan.FromSeconds(1);

    /// <summary>Actors whose mailboxes say how busy a node is.</summary>
    private static readonly (string Name, string Path)[] Measured =
    [
        ("coordinator", $"user/{CoordinatorName}/{CoordinatorName}"),
        ("policy", $"user/{PolicyName}/{PolicyName}"),
        ("evaluator", $"user/{EvaluatorName}/{EvaluatorName}"),
        ("collector", "user/collector"),
        ("candidates", "user/candidates"),
        ("data", "user/data"),
    ];

    private readonly Lock _lock = new();
    private DeviceThread? _device;

    private readonly TaskCompletionSource<string> _turnedAway = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChorusNode(ActorSystem system, DeviceThread? device) => (System, _device) = (system, device);

    public ActorSystem System { get; }

    /// <summary>The proxy of the run's coordinator.</summary>
    public IActorRef Coordinator { get; private set; } = ActorRefs.Nobody;

    /// <summary>Why the cluster does not let this node in, or this node does not believe the cluster; trying again would not help. Never completes where there is nothing.</summary>
    public Task<string> TurnedAway => _turnedAway.Task;

    /// <summary>host:port by which other nodes join this one.</summary>
    public string Address => $"{Cluster.Get(System).SelfAddress.Host}:{Cluster.Get(System).SelfAddress.Port}";

    /// <summary>Starts the node and joins its cluster; returns before the cluster is complete.</summary>
    /// <exception cref="SettingsException">The port is in use, the host is not this machine's, or a role is unknown.</exception>
    public static async Task<ChorusNode> StartAsync(NodeOptions options)
    {
        Check(options);
        var refusals = new PeerRefusals();
        var system = Create(options, refusals.Add);
        DeviceThread? device = null;
        if (options.Roles.Contains("policy") || options.Roles.Contains("trainer"))
            device = new DeviceThread("device", options.NeedsTorch ? options.Run?.Settings.Policy.Threads ?? 0 : null);
        var node = new ChorusNode(system, device);
        refusals.TellTo(node);
        try
        {
            await node.StartActorsAsync(options);
            var cluster = Cluster.Get(system);
            if (options.SeedNodes.Count == 0)
                cluster.Join(cluster.SelfAddress);
            else
                node.Join(options);
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    /// <summary>Leaves the cluster and frees what the node holds.</summary>
    public async ValueTask DisposeAsync()
    {
        var stopped = CoordinatedShutdown.Get(System).Run(CoordinatedShutdown.ActorSystemTerminateReason.Instance);
        await Task.WhenAny(stopped, Task.Delay(TimeSpan.FromSeconds(20)));
        if (_device is not null)
            await _device.DisposeAsync();
    }

    /// <summary>Checks what can be known before anything is started.</summary>
    /// <exception cref="SettingsException">The port is in use, the host is not this machine's, or a role or seed node is none.</exception>
    public static void Check(NodeOptions options)
    {
        _ = SeedsOf(options);
        if (options.Roles.FirstOrDefault(r => !NodeOptions.KnownRoles.Contains(r)) is { } unknown)
            throw new SettingsException($"unknown role {unknown}; the roles are {string.Join(", ", NodeOptions.KnownRoles)}");
        if (options.Port is < 0 or > 65535)
            throw new SettingsException($"the port must be in [0, 65535], got {options.Port}; 0 takes a free one");
        try
        {
            // Akka's own error for a port in use is a stack trace long.
            using var probe = new TcpListener(Dns.GetHostAddresses(options.Host)[0], options.Port);
            probe.Start();
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new SettingsException($"port {options.Port} is in use on {options.Host}: stop what holds it or choose another with --port (0 takes a free one)");
        }
        catch (SocketException e)
        {
            throw new SettingsException($"{options.Host}:{options.Port} cannot be listened on: {e.Message}");
        }
    }

    private static ActorSystem Create(NodeOptions options, Action<string> refused)
    {
        try
        {
            var setup = BootstrapSetup.Create().WithConfig(ConfigurationOf(options));
            return options.Tls is { } tls
                ? ActorSystem.Create(SystemName, setup.And(tls.Setup(refused)))
                : ActorSystem.Create(SystemName, setup);
        }
        catch (Exception e) when (e.GetBaseException() is SocketException socket)
        {
            // Somebody took the port after the check, say.
            throw new SettingsException($"{options.Host}:{options.Port} cannot be listened on: {socket.Message}; choose another --port (0 takes a free one)");
        }
    }

    private static Config ConfigurationOf(NodeOptions options)
    {
        var roles = string.Join(", ", options.Roles.Concat(RunRole(options)).Select(r => $"\"{r}\""));
        var threads = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture);
        var hocon = $$"""
            akka.loglevel = {{options.LogLevel}}
            akka.remote.dot-netty.tcp.hostname = "{{options.Host}}"
            akka.remote.dot-netty.tcp.port = {{options.Port}}
            akka.remote.dot-netty.tcp.enable-ssl = {{(options.Tls is null ? "off" : "on")}}
            akka.cluster.roles = [{{roles}}]
            akka.cluster.app-version = "{{options.Version}}"
            chorus.client-dispatcher.dedicated-thread-pool.thread-count = {{threads}}
            """;
        if (options.Run is { } run)
        {
            run.Journal.Prepare();
            hocon += $"\n{run.Journal.Hocon}";
            if (run.Ledger is { } ledger)
            {
                var shared = new SqliteJournal(ledger.Journal);
                shared.Prepare();
                hocon += $"\n{LedgerFiles.JournalPlugin}.connection-string = {RunJournal.Quoted(shared.Connection)}";
            }
        }

        return ConfigurationFactory.ParseString(options.Overrides)
            .WithFallback(ConfigurationFactory.ParseString(hocon))
            .WithFallback(HoconFiles.Embedded("cluster.conf"));
    }

    private static string[] RunRole(NodeOptions options) => options.Run is { } run && options.Roles.Contains("coordinator") ? [Admission.RoleOf(run.Run)] : [];

    private static Address[] SeedsOf(NodeOptions options) => [.. options.SeedNodes.Select(seed => AddressOf(seed, options.Tls is not null))];

    /// <summary>The address of a node of a cluster, from host:port.</summary>
    /// <exception cref="SettingsException">It is no host:port.</exception>
    internal static Address AddressOf(string hostAndPort, bool tls)
    {
        var parts = hostAndPort.Split(':');
        return parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
            ? new Address(tls ? "akka.ssl.tcp" : "akka.tcp", SystemName, parts[0], port)
            : throw new SettingsException($"a seed node is host:port, got \"{hostAndPort}\"");
    }

    private async Task StartActorsAsync(NodeOptions options)
    {
        System.ActorOf(NodeMetricsActor.Props(Measured, MetricsEvery), "metrics");
        var coordinator = Coordinator = Proxy(CoordinatorName, "coordinator");
        var sharding = ClusterSharding.Get(System);
        var extractor = new BlockMessages();
        var settings = ClusterShardingSettings.Create(System).WithRole("client");
        IActorRef blocks;
        if (options.Roles.Contains("client"))
        {
            var name = $"{CollectorNames.Of(Cluster.Get(System).SelfUniqueAddress)}/{Guid.NewGuid():n}";
            var node = new NodeServices(
                System.ActorOf(NodeDataActor.Props(coordinator, options.Retry, (settings, texts) => options.Scorer is { } scorer ? RoundWork.Of(scorer) : RoundWork.Of(settings, texts, options.ClientTrainers?.Invoke(DeviceOf))), "data"),
                System.ActorOf(CandidateCacheActor.Props(coordinator, options.Retry), "candidates"),
                System.ActorOf(CollectorActor.Props(coordinator, name, options.Retry), "collector"),
                options.Gate);
            blocks = await sharding.StartAsync(BlocksName, BlockActor.Props(node), settings, extractor);
        }
        else
        {
            blocks = await sharding.StartProxyAsync(BlocksName, "client", extractor);
        }

        System.ActorOf(NodeVitalsActor.Props(blocks, MetricsEvery), VitalsName);
        System.ActorOf(GateActor.Props(options.Version, options.Roles.Contains("coordinator") ? options.Run : null, blocks), GateActor.Name);
        if (options.Roles.Contains("policy"))
            Singleton(PolicyActor.Props(_device!, options.Policy!), PolicyName, "policy");
        if (options.Roles.Contains("trainer"))
        {
            System.ActorOf(TrainerHostActor.Props(Address, options.TrainerDevices, options.TrainerThreads), TrainerHostActor.Name);
            if (options.Downstream is { } downstream)
                Singleton(EvaluatorActor.Props(_device!, downstream), EvaluatorName, "trainer");
        }

        if (options.Run is { } run)
        {
            var cluster = Cluster.Get(System);
            var peers = new CoordinatorPeers(
                Proxy(PolicyName, "policy"), Proxy(EvaluatorName, "trainer"), blocks, () => cluster.State.Members.Count(m => m.HasRole("client")));
            System.ActorOf(
                MembersAwaited.Props(options.MinimumNodes, () => Singleton(RunCoordinatorActor.Props(run, peers), CoordinatorName, "coordinator")),
                "members-awaited");
        }
    }

    /// <summary>The thread of this node's device, which policy, evaluator and clients share: made for the clients where they are alone.</summary>
    private DeviceThread DeviceOf(RunSettings settings)
    {
        lock (_lock)
            return _device ??= new DeviceThread("device", settings.Policy.Threads);
    }

    private void Join(NodeOptions options) => System.ActorOf(
        JoiningActor.Props(SeedsOf(options), options.Version, RunRole(options).Length > 0 ? options.Run!.Run : null, why => _turnedAway.TrySetResult(why)), "joining");

    private void Singleton(Props props, string name, string role) =>
        System.ActorOf(
            ClusterSingletonManager.Props(
                props, PoisonPill.Instance, ClusterSingletonManagerSettings.Create(System).WithRole(role).WithSingletonName(name)),
            name);

    private IActorRef Proxy(string name, string role) =>
        System.ActorOf(
            ClusterSingletonProxy.Props(
                $"/user/{name}", ClusterSingletonProxySettings.Create(System).WithRole(role).WithSingletonName(name).WithBufferSize(1000)),
            $"{name}-proxy");

    /// <summary>
    /// Peers that TLS refused: each reason is logged once (a peer tries again and again). A node that is no member yet and
    /// refuses has refused the cluster it wants to join.
    /// </summary>
    private sealed class PeerRefusals
    {
        private readonly ConcurrentDictionary<string, bool> _told = [];
        private volatile ChorusNode? _node;

        public void TellTo(ChorusNode node) => _node = node;

        public void Add(string refusal)
        {
            if (_node is not { } node || !_told.TryAdd(refusal, true))
                return;
            if (Cluster.Get(node.System).SelfMember.Status is not (Akka.Cluster.MemberStatus.Up or Akka.Cluster.MemberStatus.WeaklyUp))
                node._turnedAway.TrySetResult(refusal);
            else
                Logging.GetLogger(node.System, typeof(ChorusNode)).Warning(refusal);
        }
    }

    /// <summary>A block is an entity by its number; shards are blocks modulo their count.</summary>
    private sealed class BlockMessages() : HashCodeMessageExtractor(Shards)
    {
        public override string? EntityId(object message) =>
            message is BlockProtocol.VoteBlock vote ? vote.Block.ToString(CultureInfo.InvariantCulture) : null;

        public override string ShardId(string entityId, object? messageHint = null) =>
            (int.Parse(entityId, CultureInfo.InvariantCulture) % Shards).ToString(CultureInfo.InvariantCulture);
    }
}
