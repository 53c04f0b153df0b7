using System.Globalization;
using Chorus.Cluster.Tests.Chaos;

namespace Chorus.Benchmarks;

/// <summary>
/// Many seeded schedules of kills, pauses, restarts, joins and broken networks, each on a tiny run over real processes; after
/// each the releases, the counts, the sets of clients, epsilon, the ledger's events and the product are compared with those of
/// the run that nothing happened to. Schedules with the network are played where the machine lets namespaces be made.
/// </summary>
internal static class ChaosBenchmark
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(240);

    public static async Task<int> RunAsync(BenchmarkArguments arguments)
    {
        var (schedules, from) = (arguments.Int("schedules", 100), arguments.Int("from", 1));
        var why = arguments.Text("network", "auto") == "off" ? "off by --network" : NetworkLab.Missing;
        using var lab = new ChaosLab();
        using var network = why is null ? NetworkLab.Create() : null;
        network?.Add(0);
        Console.WriteLine(why is null ? "network: namespaces" : $"network: not disturbed ({why})");
        var expected = await lab.UndisturbedAsync();
        Console.WriteLine($"undisturbed: {expected}");
        Console.WriteLine("| seed | faults | coordinators | seconds | equal | schedule |\n| --- | --- | --- | --- | --- | --- |");
        var (equal, faults, slowest) = (0, 0, TimeSpan.Zero);
        for (var seed = from; seed < from + schedules; seed++)
        {
            var schedule = ChaosSchedule.Of(seed, network is not null);
            try
            {
                var outcome = await ChaosRun.PlayAsync(lab, schedule, network, Deadline);
                var found = FinishedSummary.Of(outcome.Output);
                Say($"| {seed} | {outcome.Faults} of {schedule.Events.Count} | {outcome.Coordinators} | {outcome.Elapsed.TotalSeconds:0.0} | {(found == expected ? "yes" : $"NO: {found}")} | {schedule} |");
                equal += found == expected ? 1 : 0;
                faults += outcome.Faults;
                slowest = outcome.Elapsed > slowest ? outcome.Elapsed : slowest;
            }
            catch (Exception e) when (e is TimeoutException or InvalidOperationException)
            {
                Say($"| {seed} | | | | NO: {e.Message} | {schedule} |");
            }
        }

        Say($"{equal} of {schedules} equal, {faults} faults, slowest {slowest.TotalSeconds:0.0} s");
        return equal == schedules ? 0 : 1;
    }

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
