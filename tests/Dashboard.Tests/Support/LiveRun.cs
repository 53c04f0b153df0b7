using Akka.Actor;
using Akka.Cluster;
using Chorus.Actors.Hosting;
using Chorus.Actors.Runs;
using Chorus.Actors.Tests.Support;
using Chorus.Actors.Watch;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Dashboard.Tests.Support;

/// <summary>A run over real actors with its page, as <c>chorus simulate --dashboard</c> puts them together.</summary>
internal sealed class LiveRun : IRunControl, IAsyncDisposable
{
    private readonly RunContext _context;
    private readonly TestRun _run;
    private readonly ManualResetEventSlim _held = new();
    private readonly TaskCompletionSource<ChorusNode> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task<RunEnded?> _ended = Task.FromResult<RunEnded?>(null);
    private IRunControl? _control;

    private LiveRun(RunContext context, int nodes, bool hold)
    {
        _context = context;
        if (!hold)
            _held.Set();
        _run = new TestRun
        {
            Nodes = nodes,
            Policy = (_, _, _, _) => new StubPolicy { BeforeTuning = _held.Wait },
            OnStart = _started.SetResult,
            BeforeEnd = () => Task.WhenAny(_seen.Task, Task.Delay(TimeSpan.FromSeconds(20))),
            // A node that falls silent is noticed sooner, and the others wait longer before they give it up.
            Overrides = "akka.cluster.failure-detector { heartbeat-interval = 300ms, acceptable-heartbeat-pause = 1s }\nakka.cluster.split-brain-resolver.stable-after = 4s",
        };
    }

    public Served Served { get; private set; } = null!;

    /// <param name="folder">Where the data is made (or lies, from a run before) and the run is.</param>
    /// <param name="hold">Whether the first tuning waits for <see cref="Release"/>.</param>
    /// <param name="port">Of the page; 0 takes a free one.</param>
    /// <param name="resume">Goes on with the folder's run.</param>
    public static async Task<LiveRun> StartAsync(TemporaryFolder folder, int nodes, bool hold = false, int port = 0, bool resume = false)
    {
        if (!resume)
            TinyCorpus.Write(folder.In("data"), TestRun.Clients);
        var context = resume ? RunPreparation.Resume(folder.In("run")) : RunPreparation.New(TestRun.Settings(folder.In("data")), folder.In("run"), null, CancellationToken.None);
        var live = new LiveRun(context, nodes, hold);
        IActorRef? watch = null;
        live.Served = await Served.StartAsync(port: port, run: live, watched: pages => watch?.Tell(new RunWatchProtocol.Watched(pages)));
        live._ended = Task.Run(() => live._run.RunAsync(context));
        var node = await live._started.Task.WaitAsync(TimeSpan.FromSeconds(60));
        watch = node.System.ActorOf(RunWatchActor.Props(RunFacts.Of(context), live.Show, TimeProvider.System), "watch");
        live._control = new RunControl(node.Coordinator, context.Run);
        return live;
    }

    /// <summary>The last node falls silent, as a machine does whose network is cut.</summary>
    /// <returns>Its address.</returns>
    public string Abandon()
    {
        var system = _run.System(_run.Nodes - 1);
        var address = Cluster.Get(system).SelfAddress;
        _ = system.Terminate(); // it is told to leave nobody: the settings of the test keep it from saying goodbye
        return $"{address.Host}:{address.Port}";
    }

    /// <summary>The first node is gone from one moment to the next, and with it the page.</summary>
    public async Task CrashAsync()
    {
        var system = _run.System(0);
        await Served.DisposeAsync();
        await system.Terminate();
        _run.Abandon();
        Release(); // the device's thread ends with its work
        await EndAsync();
        _context.Dispose();
    }

    public void Release() => _held.Set();

    public async Task<RunEnded?> EndAsync() => await _ended.WaitAsync(TimeSpan.FromSeconds(100));

    public void Pause() => _control!.Pause();

    public void GoOn() => _control!.GoOn();

    public void Stop() => _control!.Stop();

    public async ValueTask DisposeAsync()
    {
        _held.Set();
        _seen.TrySetResult();
        Stop();
        try
        {
            await EndAsync();
        }
        finally
        {
            await Served.DisposeAsync();
            _context.Dispose();
            _held.Dispose();
        }
    }

    private void Show(RunView view)
    {
        Served.Server.Show(view);
        if (view.Ended is not null)
            _ = Task.Delay(TimeSpan.FromSeconds(1)).ContinueWith(_ => _seen.TrySetResult(), TaskScheduler.Default);
    }
}
