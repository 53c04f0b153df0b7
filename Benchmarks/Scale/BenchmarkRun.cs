using System.Diagnostics;
using System.Globalization;
using Akka.Actor;
using Akka.Configuration;
using Chorus.Actors.Hosting;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Simulation.Report;

namespace Chorus.Benchmarks.Scale;

/// <summary>What a run is measured at.</summary>
/// <param name="ClientProcesses">Processes that carry the clients, beside this one; 0: this one carries them too.</param>
/// <param name="Beside">Called before each round, while nobody votes.</param>
/// <param name="Hocon">Settings over those that it needs.</param>
internal sealed record BenchmarkRun(int Clients, int Candidates, int Rounds, int ClientProcesses, string Hocon = "", Action? Beside = null)
{
    /// <summary>Samples a prompt; the number of candidates is a multiple of it.</summary>
    private const int Samples = 10;

    private static readonly TimeSpan Patience = TimeSpan.FromHours(3);

    /// <summary>Akka settings of this process, for what listens to the wire.</summary>
    public string Akka { get; init; } = "";

    /// <summary>Drives a whole run of the real actors over a data folder, without models.</summary>
    /// <param name="data">The data folder.</param>
    /// <param name="folder">The run's, new.</param>
    public async Task<(RunResult Result, long[] PeakBytes)> RunAsync(string data, string folder)
    {
        using var context = RunPreparation.New(Settings(data), folder, null, CancellationToken.None);
        var ended = new TaskCompletionSource<RunProtocol.RunEnded>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var node = await ChorusNode.StartAsync(new NodeOptions
        {
            Roles = ClientProcesses == 0 ? NodeOptions.KnownRoles : ["coordinator", "policy", "trainer"],
            MinimumNodes = 1 + ClientProcesses,
            Run = context,
            Policy = (_, _, _, _) => new BenchmarkPolicy(Beside ?? (() => { })),
            Downstream = (_, _, _) => throw new InvalidOperationException("the benchmark trains no downstream model"),
            NeedsTorch = false,
            Overrides = Akka,
            LogLevel = Environment.GetEnvironmentVariable("BLOG") ?? "WARNING",
        });
        var listener = node.System.ActorOf(Props.CreateBy(new ListenerProducer(ended)));
        node.System.EventStream.Subscribe(listener, typeof(RunProtocol.RunEnded));
        var children = Enumerable.Range(0, ClientProcesses).Select(_ => Start("scale-node", "--seed", node.Address)).ToArray();
        try
        {
            var end = await ended.Task.WaitAsync(Patience);
            if (end.Outcome != RunOutcome.Done)
                throw new InvalidOperationException($"the run ended with {end.Outcome}: {end.Message}");
            return (RunResultFile.Read(context.Folder.Result), [ProcessMemory.PeakBytes(Environment.ProcessId), .. children.Select(c => ProcessMemory.PeakBytes(c.Id))]);
        }
        finally
        {
            foreach (var child in children)
            {
                child.Kill();
                child.WaitForExit();
            }
        }
    }

    /// <summary>One of the processes that carry clients: lives until it is killed.</summary>
    public static async Task<int> RunNodeAsync(BenchmarkArguments arguments)
    {
        await using var node = await ChorusNode.StartAsync(new NodeOptions { Roles = ["client"], SeedNodes = [arguments.Text("seed", "")] });
        await node.System.WhenTerminated;
        return 0;
    }

    /// <summary>Starts this program once more.</summary>
    public static Process Start(params string[] arguments)
    {
        // Under `dotnet run` this process is the program's own executable; under `dotnet FILE.dll` it is dotnet.
        var start = new ProcessStartInfo(Environment.ProcessPath!);
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet")
            start.ArgumentList.Add(typeof(BenchmarkRun).Assembly.Location);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    private RunSettings Settings(string data) => RunSettings.From(("benchmark", ConfigurationFactory.ParseString(string.Create(CultureInfo.InvariantCulture, $$"""
        chorus {
          name = benchmark
          rounds = {{Rounds}}
          data { directory = "{{data}}", store = disk }
          clients { block-size = 1000, round-deadline = 3h }
          popri { prompts = {{Candidates / Samples}}, samples = {{Samples}}, shots = 1 }
          privacy { epsilon = 8, reproducible-noise = on }
          encoder.dimension = 384
          synthetic.texts = 10
          evaluation { distances = off, downstream = off }
        }
        {{Hocon}}
        """))));

    private sealed class ListenerProducer(TaskCompletionSource<RunProtocol.RunEnded> ended) : IIndirectActorProducer
    {
        public Type ActorType => typeof(Listener);

        public ActorBase Produce() => new Listener(ended);

        public void Release(ActorBase actor)
        {
        }
    }

    private sealed class Listener : ReceiveActor
    {
        public Listener(TaskCompletionSource<RunProtocol.RunEnded> ended) => Receive<RunProtocol.RunEnded>(e => { ended.TrySetResult(e); });
    }
}
