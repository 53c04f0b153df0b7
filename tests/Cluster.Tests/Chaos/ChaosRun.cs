using System.Diagnostics;
using Chorus.Cli.Tests.Support;

namespace Chorus.Cluster.Tests.Chaos;

/// <summary>
/// A run of real processes to which a schedule happens. The coordinator is started again (--resume) whenever it ends without
/// being done and says that going on is possible; nodes whenever they end. What the run came to is compared by whoever asked for it.
/// </summary>
internal sealed class ChaosRun : IAsyncDisposable
{
    private const int Port = 4053;
    private const int CoordinatorHost = 0;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    private readonly ChaosLab _lab;
    private readonly ChaosSchedule _schedule;
    private readonly NetworkLab? _network;
    private readonly string _output;
    private readonly List<ChildProcess> _coordinators = [];
    private readonly List<List<ChildProcess>> _nodes = [];
    private readonly SemaphoreSlim[] _victims;
    private readonly CancellationTokenSource _over = new();
    private int _faults;

    private ChaosRun(ChaosLab lab, ChaosSchedule schedule, NetworkLab? network)
    {
        (_lab, _schedule, _network) = (lab, schedule, network);
        _output = lab.Folder.Fresh($"chaos-{schedule.Seed}");
        _victims = [.. Enumerable.Range(0, schedule.Nodes + 1).Select(_ => new SemaphoreSlim(1))];
    }

    /// <summary>Plays a schedule to the run's end.</summary>
    /// <param name="network">Where the processes live, each on a host of its own; null: on this machine's loopback.</param>
    /// <exception cref="TimeoutException">The run hangs past the deadline.</exception>
    public static async Task<ChaosOutcome> PlayAsync(ChaosLab lab, ChaosSchedule schedule, NetworkLab? network, TimeSpan deadline)
    {
        await using var run = new ChaosRun(lab, schedule, network);
        return await run.PlayAsync(deadline);
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        foreach (var process in _coordinators.Concat(_nodes.SelectMany(n => n)))
            await process.DisposeAsync();
        _over.Dispose();
    }

    private async Task<ChaosOutcome> PlayAsync(TimeSpan deadline)
    {
        var watch = Stopwatch.StartNew();
        var timeOut = Task.Delay(deadline, _over.Token);
        _coordinators.Add(Coordinator(resume: false));
        for (var node = 0; node < _schedule.Nodes; node++)
            AddNode();
        var faults = _schedule.Events.Select(HappenAsync).ToArray();
        var end = EndAsync();
        if (await Task.WhenAny(end, timeOut) != end)
            throw new TimeoutException($"the run hangs: not done after {deadline.TotalSeconds:0} s. {_schedule}{Said()}");
        await end;
        await _over.CancelAsync(); // faults whose moment never came
        await Task.WhenAll(faults);
        return new ChaosOutcome(_output, _faults, _coordinators.Count, watch.Elapsed);
    }

    /// <summary>Keeps a coordinator alive until one is done.</summary>
    private async Task EndAsync()
    {
        while (true)
        {
            var coordinator = _coordinators[^1];
            var code = await coordinator.ExitAsync(Timeout.InfiniteTimeSpan);
            if (code == 0)
                return;
            await _victims[CoordinatorHost].WaitAsync();
            try
            {
                // A fault may have started another already.
                if (_coordinators[^1] != coordinator)
                    continue;
                if (!coordinator.Errors.Contains("--resume", StringComparison.Ordinal))
                    throw new InvalidOperationException($"the coordinator ended with exit code {code}. {_schedule}{Said()}");
                _coordinators.Add(Coordinator(resume: true));
            }
            finally
            {
                _victims[CoordinatorHost].Release();
            }
        }
    }

    private async Task HappenAsync(ChaosEvent happens)
    {
        try
        {
            await SaidAsync(happens.After);
            await Task.Delay(happens.Delay, _over.Token);
            if (happens.Fault == Fault.Join)
            {
                Interlocked.Increment(ref _faults);
                AddNode();
                return;
            }

            // One thing at a time to each: a process that is stopped cannot be told to end.
            await _victims[happens.Victim].WaitAsync(_over.Token);
            try
            {
                Interlocked.Increment(ref _faults);
                await StrikeAsync(happens);
            }
            finally
            {
                _victims[happens.Victim].Release();
            }
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            // The run is over; whatever was done to it is undone with it.
        }
    }

    private async Task StrikeAsync(ChaosEvent happens)
    {
        var (victim, host) = (happens.Victim == CoordinatorHost ? _coordinators[^1] : _nodes[happens.Victim - 1][^1], happens.Victim);
        switch (happens.Fault)
        {
            case Fault.Kill:
                Signals.Send(victim.Id, Signals.Kill);
                await AgainAsync(happens, victim);
                break;
            case Fault.Stop:
                Signals.Send(victim.Id, Signals.Terminate);
                await AgainAsync(happens, victim);
                break;
            case Fault.Pause:
                await WhileAsync(happens, () => Signals.Send(victim.Id, Signals.Stop), () => Signals.Send(victim.Id, Signals.Continue));
                break;
            case Fault.Cut:
                await WhileAsync(happens, () => _network!.Cut(host), () => _network!.Mend(host));
                break;
            case Fault.Mute:
                await WhileAsync(happens, () => _network!.Mute(host), () => _network!.Unmute(host));
                break;
            case Fault.Slow:
                await WhileAsync(happens, () => _network!.Slow(host), () => _network!.Hasten(host));
                break;
            default:
                throw new InvalidOperationException($"unknown fault {happens.Fault}");
        }
    }

    /// <summary>Undone even where the run is over in between: the next run lives in the same lab.</summary>
    private async Task WhileAsync(ChaosEvent happens, Action strike, Action heal)
    {
        strike();
        try
        {
            await Task.Delay(happens.While, _over.Token);
        }
        finally
        {
            heal();
        }
    }

    private async Task AgainAsync(ChaosEvent happens, ChildProcess victim)
    {
        var code = await victim.ExitAsync(TimeSpan.FromSeconds(30));
        if (happens.Victim == CoordinatorHost && code == 0)
            return; // it was done before it heard of it
        await Task.Delay(happens.While, _over.Token);
        if (happens.Victim == CoordinatorHost)
            _coordinators.Add(Coordinator(resume: true));
        else
            _nodes[happens.Victim - 1].Add(Node(happens.Victim));
    }

    private async Task SaidAsync(string text)
    {
        while (!_coordinators.ToArray().Any(c => c.Output.Contains(text, StringComparison.Ordinal)))
            await Task.Delay(LookAgain, _over.Token);
    }

    private void AddNode()
    {
        lock (_nodes)
        {
            _network?.Add(_nodes.Count + 1);
            _nodes.Add([Node(_nodes.Count + 1)]);
        }
    }

    private ChildProcess Coordinator(bool resume) => Chorus(
        CoordinatorHost,
        [
            "simulate", .. resume && File.Exists(Path.Combine(_output, "run.conf")) ? ["--resume"] : (string[])["--run", _lab.RunFile],
            "--out", _output, "--nodes", $"{_schedule.Nodes + 1}", "--host", HostOf(CoordinatorHost), "--port", $"{PortOf()}", "--akka", _lab.AkkaFile,
        ]);

    private ChildProcess Node(int host) => Chorus(
        host, ["node", "--roles", "client", "--host", HostOf(host), "--seed-node", $"{HostOf(CoordinatorHost)}:{PortOf()}", "--akka", _lab.AkkaFile]);

    private ChildProcess Chorus(int host, string[] arguments)
    {
        if (_network is null)
            return ChildProcess.Chorus(_lab.Folder, arguments);
        string[] command = [.. _network.On(host), .. ChildProcess.ChorusCommand, .. arguments];
        return ChildProcess.Start(_lab.Folder, command[0], command[1..]);
    }

    private string HostOf(int host) => _network is null ? "127.0.0.1" : NetworkLab.AddressOf(host);

    private int PortOf() => _network is null ? _lab.Port : Port;

    private string Said() => string.Concat(
        _coordinators.Select((c, i) => $"{Environment.NewLine}--- coordinator {i}:{Environment.NewLine}{c.Output}{Environment.NewLine}{c.Errors}")
            .Concat(_nodes.SelectMany((n, i) => n.Select((p, j) => $"{Environment.NewLine}--- node {i + 1}.{j}:{Environment.NewLine}{p.Output}{Environment.NewLine}{p.Errors}"))));
}

/// <summary>How a schedule ended.</summary>
/// <param name="Output">The run's folder.</param>
/// <param name="Faults">Faults that happened: some moments come too late.</param>
/// <param name="Coordinators">How many coordinators it took.</param>
internal sealed record ChaosOutcome(string Output, int Faults, int Coordinators, TimeSpan Elapsed);
