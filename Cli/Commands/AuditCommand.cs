using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Akka.Configuration;
using Chorus.Actors.Audit;
using Chorus.Actors.Settings;
using Chorus.Cli.Progress;
using Chorus.Simulation.Privacy.Audit;
using Chorus.Simulation.Report;

namespace Chorus.Cli.Commands;

/// <summary><c>chorus audit</c>: attacks the mechanism that runs use, and compares what it finds with the claim.</summary>
internal static class AuditCommand
{
    private static readonly Option<string> Run = new("--run") { Description = "The run file whose mechanism is audited, or the name of one that ships with Chorus.", DefaultValueFactory = _ => "quickstart", HelpName = "FILE" };
    private static readonly Option<double?> Epsilon = new("--epsilon") { Description = "What one release is to cost; the noise follows. Default: the run's own noise.", HelpName = "E" };
    private static readonly Option<double?> Noise = new("--noise-multiplier") { Description = "Noise standard deviation over sensitivity, in place of --epsilon.", HelpName = "S" };
    private static readonly Option<double?> Delta = new("--delta") { Description = "The delta of claim and findings. Default: the run's own.", HelpName = "D" };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Releases.", HelpName = "N", DefaultValueFactory = _ => 400 };
    private static readonly Option<int> Canaries = new("--canaries") { Description = "Canary clients.", HelpName = "M", DefaultValueFactory = _ => 200 };
    private static readonly Option<double> Confidence = new("--confidence") { Description = "Probability that all bounds hold.", HelpName = "C", DefaultValueFactory = _ => 0.95 };
    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Makes the audit repeatable, its noise too. Default: noise from the operating system, as in a private run.", HelpName = "S" };
    private static readonly Option<string[]> Set = new("--set") { Description = "Any setting of Hocon/reference.conf, as key=value; repeatable. method=popri-plus audits the subspace release.", HelpName = "KEY=VALUE", DefaultValueFactory = _ => [] };
    private static readonly Option<string?> Out = new("--out") { Description = "The folder for audit.json and audit.html. Default: a new one below runs/.", HelpName = "DIR" };
    private static readonly Option<bool> Json = new("--json") { Description = "Print audit.json." };

    public static Command Create()
    {
        var command = new Command("audit", "Measures a lower bound on the epsilon of one release, through the actors that make it, beside the claim.")
        {
            Run, Epsilon, Noise, Delta, Rounds, Canaries, Confidence, Seed, Set, Out, Json,
        };
        command.SetAction(InvokeAsync);
        return command;
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var confidence = parsed.GetValue(Confidence);
        if (!(confidence > 0 && confidence < 1))
            throw new SettingsException(string.Create(CultureInfo.InvariantCulture, $"--confidence must be in (0, 1), got {confidence}"));
        var run = HoconFiles.Run(parsed.GetValue(Run)!);
        var set = string.Concat(parsed.GetValue(Set)!.Select(KeyValue.Parse).Select(s => KeyValue.ToHocon(s.Key, s.Value)));
        if (set.Length > 0)
            run = run with { Config = ConfigurationFactory.ParseString(set).WithFallback(run.Config) };
        var plan = AuditPlan.For(
            run, parsed.GetValue(Epsilon), parsed.GetValue(Noise), parsed.GetValue(Delta), parsed.GetValue(Rounds), parsed.GetValue(Canaries),
            parsed.GetValue(Seed));
        var folder = Path.GetFullPath(parsed.GetValue(Out) ?? RunFolders.Fresh("audit"));
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
            throw new SettingsException($"{folder} is not an empty folder: choose another --out");
        var json = parsed.GetValue(Json);
        var result = AuditResult.Of(
            Path.GetFileNameWithoutExtension(run.Name), plan.NoiseMultiplier, plan.Claim, plan.Delta, confidence, await ScoresAsync(plan, json, ct),
            plan.Seed, plan.ReproducibleNoise, watch.Elapsed.TotalSeconds);
        Directory.CreateDirectory(folder);
        var page = AuditReport.Write(result, folder);
        if (json)
            Console.Write(result.ToJson());
        else
            Say(result, page);
        return result.Refuted ? ExitCode.ClaimRefuted : ExitCode.Done;
    }

    private static async Task<IReadOnlyList<IReadOnlyList<CanaryScore>>> ScoresAsync(AuditPlan plan, bool quiet, CancellationToken ct)
    {
        await using var progress = quiet ? null : RunProgressView.Create();
        progress?.Say(FormattableString.Invariant($"auditing one release at noise multiplier {plan.NoiseMultiplier:0.####}: {plan.Canaries} canaries in {plan.Rounds} rounds"));
        var work = Directory.CreateTempSubdirectory("chorus-audit-").FullName;
        try
        {
            var scores = await AuditRun.ScoresAsync(plan, work, LogLevels.OfUser(), progress?.Counter("rounds", plan.Rounds), ct);
            return [.. scores.Select(round => (IReadOnlyList<CanaryScore>)round)];
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private static void Say(AuditResult audit, string page)
    {
        var findings = audit.Findings;
        string[] lines =
        [
            FormattableString.Invariant($"claim: one release costs epsilon {audit.ClaimedEpsilon:0.####} at delta {findings.Delta:g}"),
            FormattableString.Invariant($"found: epsilon at least {findings.EpsilonLower:0.###}, whatever the mechanism; at least {findings.Gaussian.Epsilon:0.###} if its trade-off curve is Gaussian ({findings.Confidence:0.###} confidence in both)"),
            audit.Refuted ? "the claim is REFUTED: the releases give more away than it allows" : "nothing was found against the claim",
            audit.ReproducibleNoise ? "the noise followed from --seed: a repeatable audit of the arithmetic, not of a private run's generator" : "",
            $"report: {page}",
        ];
        foreach (var line in lines.Where(l => l.Length > 0))
            Console.WriteLine(line);
    }
}
