using System.Diagnostics;
using System.Globalization;
using Chorus.Actors.Audit;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy.Audit;

namespace Chorus.Benchmarks;

/// <summary>
/// How near the audit of a right mechanism comes to its claim, and whether it ever passes it: 20 seeded audits of the
/// quickstart's mechanism at each of two claims, each the command's own default size, through the real actors.
/// </summary>
internal static class AuditBenchmark
{
    private const int Repeats = 20;
    private const int Rounds = 400;
    private const int Canaries = 200;

    public static async Task<int> RunAsync()
    {
        Console.WriteLine("| claim | seed | lower bound | if Gaussian | seconds |\n| --- | --- | --- | --- | --- |");
        foreach (var epsilon in new[] { 4.0, 8.0 })
        {
            var (below, half, belowGaussian) = (0, 0, 0);
            for (ulong seed = 1; seed <= Repeats; seed++)
            {
                var watch = Stopwatch.StartNew();
                var findings = await AuditAsync(epsilon, seed);
                Say($"| {epsilon} | {seed} | {findings.EpsilonLower:0.000} | {findings.Gaussian.Epsilon:0.000} | {watch.Elapsed.TotalSeconds:0} |");
                below += findings.EpsilonLower < epsilon ? 1 : 0;
                half += findings.EpsilonLower > epsilon / 2 ? 1 : 0;
                belowGaussian += findings.Gaussian.Epsilon < epsilon ? 1 : 0;
            }

            Say($"claim {epsilon}: below it {below} of {Repeats} (if Gaussian {belowGaussian}), above half of it {half} of {Repeats}");
        }

        return 0;
    }

    private static async Task<AuditFindings> AuditAsync(double epsilon, ulong seed)
    {
        var plan = AuditPlan.For(HoconFiles.Run("quickstart"), epsilon, null, null, Rounds, Canaries, seed);
        var folder = Directory.CreateTempSubdirectory("chorus-audit-").FullName;
        try
        {
            var scores = await AuditRun.ScoresAsync(plan, folder, "WARNING", null, CancellationToken.None);
            return AuditFindings.Of([.. scores.Select(r => (IReadOnlyList<CanaryScore>)r)], plan.Delta, 0.95);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
