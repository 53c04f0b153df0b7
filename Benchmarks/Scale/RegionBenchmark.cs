using System.Diagnostics;
using System.Globalization;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Configuration;
using Chorus.Actors.Settings;

namespace Chorus.Benchmarks.Scale;

/// <summary>
/// A message to each of 100,000 actors and its answer: through Akka's shard region one by one, in batches (a block of 1,000 is the
/// entity, the others its children, as Chorus has it), and without any region, as what Akka's actors themselves can do.
/// Method: one node, cluster.conf's settings; every actor an UntypedActor; the first pass makes the actors, five more are
/// timed, the three ways in turn; at most 10,000 messages on their way. Figures are round trips a second.
/// </summary>
internal static class RegionBenchmark
{
    private const int BlockSize = 1000;
    private const int InFlight = 10_000;
    private const int Shards = 100;

    public static async Task<int> RunAsync(BenchmarkArguments arguments)
    {
        var entities = arguments.Int("entities", 100_000);
        var config = ConfigurationFactory.ParseString("akka.loglevel = WARNING\nakka.remote.dot-netty.tcp { hostname = 127.0.0.1, port = 0 }\nakka.extensions = []\nakka.cluster.roles = [client]")
            .WithFallback(HoconFiles.Embedded("cluster.conf"));
        using var system = ActorSystem.Create("region", config);
        var cluster = Akka.Cluster.Cluster.Get(system);
        await cluster.JoinAsync(cluster.SelfAddress);
        var sharding = ClusterSharding.Get(system);
        var settings = ClusterShardingSettings.Create(system);
        var one = await sharding.StartAsync("entities", Props.Create(() => new Echo()), settings, new ByNumber());
        var blocks = await sharding.StartAsync("blocks", Props.Create(() => new Block()), settings, new ByNumber());
        var plain = system.ActorOf(Props.Create(() => new Router()), "plain");
        (string Name, IActorRef To, int Messages, int Each)[] ways =
        [
            ("region, one message an entity", one, entities, 1),
            ("region, one message a block of 1,000", blocks, entities / BlockSize, BlockSize),
            ("no region, one message an actor", plain, entities, 1),
        ];
        Console.WriteLine("| way | first pass (actors made), s | round trips/s, median of 5 | from | to |\n| --- | --- | --- | --- | --- |");
        var times = ways.Select(_ => new List<double>()).ToArray();
        for (var pass = 0; pass < 6; pass++)
        {
            for (var i = 0; i < ways.Length; i++)
                times[i].Add(await PassAsync(system, ways[i].To, ways[i].Messages));
        }

        for (var i = 0; i < ways.Length; i++)
        {
            var rates = times[i].Skip(1).Select(s => ways[i].Messages * ways[i].Each / s).Order().ToArray();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {ways[i].Name} | {times[i][0]:0.00} | {rates[2]:#,0} | {rates[0]:#,0} | {rates[^1]:#,0} |"));
        }

        await system.Terminate();
        return 0;
    }

    private static async Task<double> PassAsync(ActorSystem system, IActorRef to, int messages)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var start = Stopwatch.GetTimestamp();
        var driver = system.ActorOf(Props.Create(() => new Driver(to, messages, done)));
        await done.Task;
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        system.Stop(driver);
        return seconds;
    }

    private sealed record Ping(int Number);

    private sealed class Pong
    {
        public static Pong Instance { get; } = new();
    }

    private sealed class ByNumber() : HashCodeMessageExtractor(Shards)
    {
        public override string? EntityId(object message) => message is Ping ping ? ping.Number.ToString(CultureInfo.InvariantCulture) : null;

        public override string ShardId(string entityId, object? messageHint = null) =>
            (int.Parse(entityId, CultureInfo.InvariantCulture) % Shards).ToString(CultureInfo.InvariantCulture);
    }

    private sealed class Echo : UntypedActor
    {
        protected override void OnReceive(object message) => Sender.Tell(Pong.Instance);
    }

    /// <summary>Asks each of its children, and answers once all have.</summary>
    private sealed class Block : UntypedActor
    {
        private static readonly Props Child = Props.Create(() => new Echo());
        private IActorRef[] _children = [];
        private IActorRef _asked = ActorRefs.Nobody;
        private int _open;

        protected override void PreStart() => _children = [.. Enumerable.Range(0, BlockSize).Select(_ => Context.ActorOf(Child))];

        protected override void OnReceive(object message)
        {
            if (message is Ping)
            {
                (_asked, _open) = (Sender, BlockSize);
                foreach (var child in _children)
                    child.Tell(message);
            }
            else if (--_open == 0)
            {
                _asked.Tell(Pong.Instance);
            }
        }
    }

    /// <summary>What a region does at the least: finds an actor by its number, or makes it.</summary>
    private sealed class Router : UntypedActor
    {
        private static readonly Props Child = Props.Create(() => new Echo());
        private readonly Dictionary<int, IActorRef> _children = [];

        protected override void OnReceive(object message)
        {
            if (message is not Ping ping)
                return;
            if (!_children.TryGetValue(ping.Number, out var child))
                _children.Add(ping.Number, child = Context.ActorOf(Child));
            child.Forward(ping);
        }
    }

    private sealed class Driver(IActorRef to, int messages, TaskCompletionSource done) : UntypedActor
    {
        private int _sent;
        private int _answered;

        protected override void PreStart()
        {
            while (_sent < Math.Min(messages, InFlight))
                to.Tell(new Ping(_sent++));
        }

        protected override void OnReceive(object message)
        {
            if (++_answered == messages)
                done.SetResult();
            else if (_sent < messages)
                to.Tell(new Ping(_sent++));
        }
    }
}
