using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Chorus.Actors.Hosting;
using Chorus.Actors.Policy;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Tests.Support;

/// <summary>Whole runs over the real actors of one or several actor systems in this process, with stubs for the models.</summary>
internal sealed class TestRun
{
    public const int Clients = 23;

    private readonly List<ChorusNode> _nodes = [];
    private readonly TaskCompletionSource<RunEnded?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>One node is all roles; of several, the first has all but the clients.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>Roles of the nodes that are not the first; by default each is a client.</summary>
    public IReadOnlyList<string[]>? Others { get; init; }

    /// <summary>Roles of the first of several nodes.</summary>
    public string[] First { get; init; } = ["coordinator", "policy", "trainer"];

    public PolicyFactory Policy { get; init; } = StubPolicy.Factory;

    /// <summary>HOCON over the settings of every node.</summary>
    public string Overrides { get; init; } = "";

    /// <summary>Told all that the coordinator publishes about its progress.</summary>
    public Action<TestRun, RunProgress> OnProgress { get; init; } = (_, _) => { };

    /// <summary>Given the first node once it runs.</summary>
    public Action<ChorusNode> OnStart { get; init; } = _ => { };

    /// <summary>Waited for between the end of the run and that of its nodes.</summary>
    public Func<Task> BeforeEnd { get; init; } = () => Task.CompletedTask;

    /// <summary>The progress at which the first node is stopped without leaving its cluster.</summary>
    public Func<RunProgress, bool> StopAt { get; init; } = _ => false;

    public static RunSettings Settings(string data, string more = "") => RunSettings.From(("test", ConfigurationFactory.ParseString(
        $$"""
        chorus {
          name = test
          seed = 5
          rounds = 2
          data.directory = "{{data}}"
          clients.block-size = 4
          popri { prompts = 3, samples = 4, rejected-rank = 3, shots = 1 }
          privacy { epsilon = 8, reproducible-noise = on }
          encoder.dimension = 32
          synthetic.texts = 12
        }
        {{more}}
        """)));

    /// <summary>The proxy of the coordinator on a node, as its own actors know it.</summary>
    public ActorSelection Coordinator(int node) => _nodes[node].System.ActorSelection("/user/run-coordinator-proxy");

    public ActorSystem System(int node) => _nodes[node].System;

    /// <summary>The node on which an actor is.</summary>
    public int NodeWith(string path) => Enumerable.Range(0, _nodes.Count).First(i =>
        ((ExtendedActorSystem)_nodes[i].System).Provider.ResolveActorRef(ActorPath.Parse($"{Cluster.Get(_nodes[i].System).SelfAddress}{path}")) is ActorRefWithCell { IsTerminated: false });

    /// <summary>Has one node more join.</summary>
    /// <returns>Its number.</returns>
    public async Task<int> JoinAsync(params string[] roles)
    {
        var address = Cluster.Get(_nodes[0].System).SelfAddress;
        _nodes.Add(await ChorusNode.StartAsync(new NodeOptions
        {
            Roles = roles,
            Policy = Policy,
            ClientTrainers = StubTrainers.Factory,
            LogLevel = "OFF",
            Overrides = Hocon,
            Retry = TimeSpan.FromMilliseconds(300),
            SeedNodes = [$"{address.Host}:{address.Port}"],
        }));
        return _nodes.Count - 1;
    }

    /// <summary>Has a node leave in order.</summary>
    public async Task LeaveAsync(int node) => await _nodes[node].DisposeAsync();

    /// <summary>Waits for the end no longer: the test has taken the first node down.</summary>
    public void Abandon() => _ended.TrySetResult(null);

    /// <summary>Runs to the end.</summary>
    /// <returns>How it ended; null where it was stopped.</returns>
    public async Task<RunEnded?> RunAsync(RunContext context)
    {
        var ended = _ended;
        try
        {
            await StartAsync(context, ended).WaitAsync(TimeSpan.FromSeconds(60));
            var end = await ended.Task.WaitAsync(TimeSpan.FromSeconds(100));
            if (end is not null)
                await BeforeEnd();
            return end;
        }
        finally
        {
            await Task.WhenAll(_nodes.AsEnumerable().Reverse().Select(n => n.DisposeAsync().AsTask()));
        }
    }

    private async Task StartAsync(RunContext context, TaskCompletionSource<RunEnded?> ended)
    {
        var first = await ChorusNode.StartAsync(new NodeOptions
        {
            Roles = Nodes == 1 ? NodeOptions.KnownRoles : First,
            MinimumNodes = Nodes,
            Retry = TimeSpan.FromMilliseconds(300),
            LogLevel = "OFF",
            Overrides = Hocon,
            Run = context,
            Policy = Policy,
            Downstream = StubDownstream.Factory,
            ClientTrainers = StubTrainers.Factory,
        });
        _nodes.Add(first);
        OnStart(first);
        var listener = first.System.ActorOf(Props.CreateBy(new ListenerProducer(ended, Progressed)));
        first.System.EventStream.Subscribe(listener, typeof(RunEnded));
        first.System.EventStream.Subscribe(listener, typeof(RunProgress));
        for (var i = 1; i < Nodes; i++)
            await JoinAsync(Others?[i - 1] ?? ["client"]);

        void Progressed(RunProgress progress)
        {
            OnProgress(this, progress);
            if (StopAt(progress))
                _ = first.System.Terminate().ContinueWith(_ => ended.TrySetResult(null), TaskScheduler.Default);
        }
    }

    /// <summary>HOCON of a cluster that needs less patience than one of many machines has; a system that is terminated is killed, it does not leave.</summary>
    public const string Hasty = """
        akka.cluster.gossip-interval = 200ms
        akka.cluster.leader-actions-interval = 200ms
        akka.cluster.split-brain-resolver.stable-after = 2s
        akka.cluster.sharding.coordinator-failure-backoff = 1s
        akka.cluster.singleton.hand-over-retry-interval = 300ms
        akka.cluster.singleton-proxy.singleton-identification-interval = 300ms
        akka.coordinated-shutdown.run-by-actor-system-terminate = off
        """;

    /// <summary>Waits until something is so, for a minute at most.</summary>
    public static async Task UntilAsync(Func<Task<bool>> so)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!await so())
            await Task.Delay(20, deadline.Token);
    }

    private string Hocon => $"{Hasty}\n{Overrides}";

    private sealed class ListenerProducer(TaskCompletionSource<RunEnded?> ended, Action<RunProgress> progress) : IIndirectActorProducer
    {
        public Type ActorType => typeof(Listener);

        public ActorBase Produce() => new Listener(ended, progress);

        public void Release(ActorBase actor)
        {
        }
    }

    private sealed class Listener : ReceiveActor
    {
        public Listener(TaskCompletionSource<RunEnded?> ended, Action<RunProgress> progress)
        {
            Receive<RunEnded>(e => { ended.TrySetResult(e); });
            Receive<RunProgress>(p => progress(p));
        }
    }
}
