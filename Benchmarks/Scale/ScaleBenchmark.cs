using System.Globalization;

namespace Chorus.Benchmarks.Scale;

/// <summary>
/// Rounds over 10,000 to 1,000,000 clients with 600 candidates x 384 dimensions: time, votes a second, memory of all processes.
/// Method: each size is a cluster of its own, one process for coordinator and policy and two for clients, over real data
/// files; every client has texts, all take part. The first round encodes the texts and makes the client actors, the others find
/// both; rounds of few clients are so short that the first dozen is spent on compiling, so small sizes have more of them, and
/// a size's figure is the median of its later half. Sizes are gone through as often as asked, in turn. Time is the coordinator's own, from its first lease to its last partial sum; bytes are between the coordinator's process and the others, all of Akka's own
/// among them; memory is VmHWM, summed over the processes, so pages that they share count more than once.
/// </summary>
internal static class ScaleBenchmark
{
    public static async Task<int> RunAsync(BenchmarkArguments arguments)
    {
        Console.WriteLine("| clients | texts each | round | seconds | votes/s | us a client | sent, kB | received, kB | peak memory of each process, MiB | sum, MiB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        var sizes = arguments.Text("sizes", "10000,100000,1000000").Split(',');
        var rounds = arguments.Text("rounds", "30,10,4").Split(',');
        foreach (var (clients, i) in Enumerable.Repeat(sizes.Select((s, i) => (s, i)), arguments.Int("passes", 2)).SelectMany(p => p))
        {
            using var size = BenchmarkRun.Start(
                "scale-size", "--clients", clients, "--texts", arguments.Text("texts", "2"), "--rounds", rounds[Math.Min(i, rounds.Length - 1)], "--candidates", arguments.Text("candidates", "600"),
                "--processes", arguments.Text("processes", "2"));
            await size.WaitForExitAsync();
            if (size.ExitCode != 0)
                return size.ExitCode;
        }

        return 0;
    }

    public static async Task<int> RunSizeAsync(BenchmarkArguments arguments)
    {
        var (clients, texts) = (arguments.Int("clients", 10_000), arguments.Int("texts", 2));
        var folder = Directory.CreateTempSubdirectory("chorus-scale-").FullName;
        try
        {
            Environment.SetEnvironmentVariable("CHORUS_CACHE", Path.Combine(folder, "cache"));
            BenchmarkCorpus.Write(Path.Combine(folder, "data"), clients, texts);
            var bytes = new List<(long Sent, long Received)>();
            var run = new BenchmarkRun(clients, arguments.Int("candidates", 600), arguments.Int("rounds", 3), arguments.Int("processes", 2), Beside: () => bytes.Add(WireCounter.Bytes)) { Akka = WireCounter.Hocon };
            var (result, peaks) = await run.RunAsync(Path.Combine(folder, "data"), Path.Combine(folder, "run"));
            double[] times = [.. result.Rounds.Select(r => r.Seconds.Feedback)];
            // The policy writes once more after the last round.
            (string Round, double Seconds, long Sent, long Received)[] rounds =
            [
                .. times.Select((seconds, i) => ($"{i + 1}", seconds, bytes[i + 1].Sent - bytes[i].Sent, bytes[i + 1].Received - bytes[i].Received)),
            ];
            var later = rounds.Skip(rounds.Length / 2).OrderBy(r => r.Seconds).ToArray();
            foreach (var (round, seconds, sent, received) in rounds.Append(later[later.Length / 2] with { Round = $"median of the last {later.Length}" }))
            {
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {clients:#,0} | {texts} | {round} | {seconds:0.00} | {clients / seconds:#,0} | {seconds / clients * 1e6:0.00} | {sent / 1000:#,0} | {received / 1000:#,0} | {string.Join(" + ", peaks.Select(p => $"{p >> 20}"))} | {peaks.Sum() >> 20} |"));
            }

            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
