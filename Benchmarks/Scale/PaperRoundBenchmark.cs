using System.Globalization;
using Chorus.Gpu.Runtime;
using static TorchSharp.torch;

namespace Chorus.Benchmarks.Scale;

/// <summary>
/// The paper's round: 72,000 clients with 8 texts each and 18,000 candidates x 384 dimensions, by the real actors, beside the
/// same arithmetic in a plain parallel loop and one matrix product of its size.
/// Method: one run of the real actors; its first round encodes the texts, and is not counted; before every other round, while nobody
/// votes, product and loop run in the same process on the same embeddings. Time of a round is the coordinator's own, from its first
/// lease to its last partial sum. Bytes are those between this node and the others, with --processes 2.
/// </summary>
internal static class PaperRoundBenchmark
{
    public static async Task<int> RunAsync(BenchmarkArguments arguments)
    {
        var (clients, texts, candidates) = (arguments.Int("clients", 72_000), arguments.Int("texts", 8), arguments.Int("candidates", 18_000));
        var (rounds, processes, subspace) = (arguments.Int("rounds", 4), arguments.Int("processes", 0), arguments.Text("release", "full") == "subspace");
        var folder = Directory.CreateTempSubdirectory("chorus-paper-").FullName;
        try
        {
            Environment.SetEnvironmentVariable("CHORUS_CACHE", Path.Combine(folder, "cache"));
            TorchRuntime.Prepare();
            var data = Path.Combine(folder, "data");
            BenchmarkCorpus.Write(data, clients, texts);
            var beside = new List<(double Product, double Double, double Loop)>();
            var bytes = new List<(long Sent, long Received)>();
            PlainRound? plain = null;
            var run = new BenchmarkRun(
                clients, candidates, rounds, processes,
                subspace ? "chorus.popri.release = subspace" : "chorus.popri.release = candidates",
                () =>
                {
                    bytes.Add(WireCounter.Bytes);
                    if (bytes.Count is 1 || beside.Count == rounds - 1)
                        return; // of the first round, and of what the policy writes after the last
                    plain ??= new PlainRound(data);
                    var scorer = plain.Scorer(candidates, subspace);
                    beside.Add((plain.Product(scorer.VoteLength, ScalarType.Float32), plain.Product(scorer.VoteLength, ScalarType.Float64), plain.Loop(scorer)));
                })
            { Akka = WireCounter.Hocon };
            var (result, peaks) = await run.RunAsync(data, Path.Combine(folder, "run"));
            plain?.Dispose();
            Say($"{clients:#,0} clients x {texts} texts, {candidates:#,0} candidates, release {(subspace ? "subspace" : "full")}, {1 + processes} processes, {Environment.ProcessorCount} cores");
            Say($"first round (texts encoded): {result.Rounds[0].Seconds.Feedback:0.0} s");
            Console.WriteLine("| round | product float32, s | float64, s | plain loop, s | actors, s | loop / product | actors / loop | sent, MB | received, MB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
            for (var i = 0; i < beside.Count; i++)
            {
                var (product, wide, loop) = beside[i];
                var actors = result.Rounds[i + 1].Seconds.Feedback;
                var (from, to) = (bytes[i + 1], i + 2 < bytes.Count ? bytes[i + 2] : WireCounter.Bytes);
                Say($"| {i + 2} | {product:0.00} | {wide:0.00} | {loop:0.00} | {actors:0.00} | {loop / product:0.00} | {actors / loop:0.00} | {(to.Sent - from.Sent) / 1e6:0.0} | {(to.Received - from.Received) / 1e6:0.0} |");
            }

            var (ratio, over) = (Median(beside.Select((b, i) => result.Rounds[i + 1].Seconds.Feedback / b.Loop)), Median(beside.Select(b => b.Loop / b.Product)));
            Say($"medians: loop / product {over:0.00}, actors / loop {ratio:0.00}; one float32 vector a client would be {4.0 * clients * candidates / 1e6:#,0} MB; peak memory {string.Join(" + ", peaks.Select(p => $"{p >> 20}"))} MiB");
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var sorted ? sorted[sorted.Length / 2] : 0;

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
