using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Chorus.Actors.Hosting;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using static Chorus.Actors.Runs.RunProtocol;

namespace Chorus.Actors.Tests.Support;

/// <summary>Whole runs over the real actors of one or several actor systems in this process, with a stub for the models.</summary>
internal static class TestRun
{
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

    /// <summary>Runs to the end and gives how it ended.</summary>
    public static async Task<RunEnded> RunAsync(RunContext context, int nodes = 1, Func<ChorusNode[], RunProgress, Task>? onProgress = null)
    {
        var first = await ChorusNode.StartAsync(new NodeOptions
        {
            Roles = nodes == 1 ? NodeOptions.KnownRoles : ["coordinator", "policy", "trainer"],
            MinimumNodes = nodes,
            Retry = TimeSpan.FromMilliseconds(300),
            LogLevel = "ERROR",
            Run = context,
            Policy = StubPolicy.Factory,
            Downstream = StubDownstream.Factory,
        });
        var all = new List<ChorusNode> { first };
        try
        {
            var ended = new TaskCompletionSource<RunEnded>(TaskCreationOptions.RunContinuationsAsynchronously);
            void Tell(RunProgress progress) => onProgress?.Invoke([.. all], progress);
            var listener = first.System.ActorOf(Props.CreateBy(new ListenerProducer(ended, Tell)));
            first.System.EventStream.Subscribe(listener, typeof(RunEnded));
            first.System.EventStream.Subscribe(listener, typeof(RunProgress));
            var address = Cluster.Get(first.System).SelfAddress;
            for (var i = 1; i < nodes; i++)
            {
                all.Add(await ChorusNode.StartAsync(new NodeOptions
                {
                    Roles = ["client"],
                    LogLevel = "ERROR",
                    Retry = TimeSpan.FromMilliseconds(300),
                    SeedNodes = [$"{address.Host}:{address.Port}"],
                }));
            }

            return await ended.Task.WaitAsync(TimeSpan.FromSeconds(90));
        }
        finally
        {
            for (var i = all.Count - 1; i >= 0; i--)
                await all[i].DisposeAsync();
        }
    }

    private sealed class ListenerProducer(TaskCompletionSource<RunEnded> ended, Action<RunProgress> progress) : IIndirectActorProducer
    {
        public Type ActorType => typeof(Listener);

        public ActorBase Produce() => new Listener(ended, progress);

        public void Release(ActorBase actor)
        {
        }
    }

    private sealed class Listener : ReceiveActor
    {
        public Listener(TaskCompletionSource<RunEnded> ended, Action<RunProgress> progress)
        {
            Receive<RunEnded>(e => { ended.TrySetResult(e); });
            Receive<RunProgress>(p => progress(p));
        }
    }
}
