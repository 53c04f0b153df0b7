using System.Diagnostics;
using System.Globalization;
using Akka.Actor;
using Akka.Configuration;
using Chorus.Actors.Tests.Fuzz;

namespace Chorus.Benchmarks.Scale;

/// <summary>The long form of the fuzz tests, which are the suite's own code: inputs to the serializer, then messages of lying clients to a block.</summary>
internal static class FuzzBenchmark
{
    public static async Task<int> RunAsync(BenchmarkArguments arguments)
    {
        var (inputs, seed) = (arguments.Int("inputs", 1_000_000), arguments.Int("seed", 1));
        using var system = ActorSystem.Create("fuzz", ConfigurationFactory.ParseString(ClientFuzzer.Hocon + "\nakka.loglevel = ERROR\nakka.log-dead-letters = off"));
        var fixtures = Path.Combine(AppContext.BaseDirectory, "fixtures");
        var watch = Stopwatch.StartNew();
        var workers = Environment.ProcessorCount;
        var fuzzers = await Task.WhenAll(Enumerable.Range(0, workers).Select(worker => Task.Run(() =>
        {
            var fuzzer = new MessageFuzzer(unchecked((seed * 1000) + worker), (ExtendedActorSystem)system, fixtures);
            for (var i = 0; i < inputs / workers; i++)
                fuzzer.Step();
            return fuzzer;
        })));
        var (allocated, length) = fuzzers.Select(f => f.Hungriest).MaxBy(h => h.Allocated);
        Say($"serializer: {inputs / workers * workers:#,0} inputs in {watch.Elapsed.TotalSeconds:0} s: {fuzzers.Sum(f => f.Read):#,0} read as messages, all others refused by SerializationException; the most memory that one took: {allocated:#,0} bytes for {length:#,0}");

        watch.Restart();
        var folder = Directory.CreateTempSubdirectory("chorus-fuzz-").FullName;
        try
        {
            var (messages, leases) = await ClientFuzzer.RunAsync(system, folder, seed, inputs);
            Say($"clients: {messages:#,0} messages of lying clients in {leases:#,0} leases in {watch.Elapsed.TotalSeconds:0} s: every lease finished, every client counted once, no block failed, no liar moved a sum by more than 1");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        await system.Terminate();
        return 0;
    }

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
