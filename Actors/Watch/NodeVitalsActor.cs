using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Chorus.Actors.Telemetry;
using static Chorus.Actors.Watch.VitalsProtocol;

namespace Chorus.Actors.Watch;

/// <summary>
/// One a node: tells those who watch the run how this node is, once a second. Nobody watches, and it measures nothing. It
/// pushes, so that a node under load is late and not asked again.
/// </summary>
public sealed class NodeVitalsActor : UntypedActor, IWithTimers
{
    private const string TickKey = "tick";

    /// <summary>More watchers than pages could ever have servers.</summary>
    private const int MostWatchers = 16;

    /// <summary>A region asks each of its shards; what it carries changes slowly.</summary>
    private const int ShardsEvery = 5;

    private readonly IActorRef _shards;
    private readonly TimeSpan _every;
    private readonly Dictionary<IActorRef, long> _watchers = []; // until when, in ticks of the stopwatch
    private readonly long _born = Stopwatch.GetTimestamp();
    private MeterReadings? _readings;
    private string _run = "";
    private (TimeSpan Cpu, long At) _before;
    private (int Shards, int Blocks) _carried;
    private int _told;

    public NodeVitalsActor(IActorRef shards, TimeSpan every) => (_shards, _every) = (shards, every);

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="shards">The node's shard region of client blocks; a proxy where it carries none.</param>
    /// <param name="every">How often it tells.</param>
    public static Props Props(IActorRef shards, TimeSpan every) => Akka.Actor.Props.Create(() => new NodeVitalsActor(shards, every));

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case WatchNode watch:
                Watch(watch);
                break;
            case ShardRegionStats stats:
                _carried = (stats.Stats.Count, stats.Stats.Values.Sum());
                break;
            case Tick:
                Tell();
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    protected override void PostStop() => _readings?.Dispose();

    private void Watch(WatchNode watch)
    {
        if (_watchers.Count >= MostWatchers && !_watchers.ContainsKey(Sender))
            return;
        if (watch.Run != _run)
        {
            _readings?.Dispose();
            (_run, _readings) = (watch.Run, new MeterReadings(watch.Run));
        }

        _watchers[Sender] = Stopwatch.GetTimestamp() + Math.Clamp(watch.Seconds, 1, 60) * Stopwatch.Frequency;
        if (Timers.IsTimerActive(TickKey))
            return;
        _before = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
        _told = 0;
        Timers.StartPeriodicTimer(TickKey, Tick.Instance, _every);
    }

    private void Tell()
    {
        var now = Stopwatch.GetTimestamp();
        if (_told++ % ShardsEvery == 0)
            _shards.Tell(GetShardRegionStats.Instance); // the answer is for the next time
        var cpu = Environment.CpuUsage.TotalTime;
        var share = (cpu - _before.Cpu) / (Stopwatch.GetElapsedTime(_before.At, now) * Environment.ProcessorCount);
        _before = (cpu, now);
        var vitals = new NodeVitals(
            _run, Stopwatch.GetElapsedTime(_born, now).TotalSeconds, double.IsFinite(share) ? Math.Clamp(share, 0, 1) : 0, Environment.WorkingSet,
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, Environment.ProcessorCount, _carried.Shards, _carried.Blocks, [.. _readings!.Now()]);
        // Also whose time is over: a node that is late tells each who asked once at least.
        foreach (var (watcher, until) in _watchers.ToArray())
        {
            watcher.Tell(vitals);
            if (until < now)
                _watchers.Remove(watcher);
        }

        if (_watchers.Count == 0)
            Timers.Cancel(TickKey);
    }

    private sealed class Tick
    {
        public static Tick Instance { get; } = new();
    }
}
