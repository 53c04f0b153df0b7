using System.Collections.Immutable;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Chorus.Actors.Evaluation;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Report;

namespace Chorus.Actors.Runs;

/// <summary>A run's result.json and report.html, from its settings and its durable state.</summary>
public static class RunReport
{
    /// <summary>Writes both files.</summary>
    /// <param name="nodes">Members of the cluster that ran it.</param>
    /// <param name="seconds">Wall-clock time since the (last) start.</param>
    public static void Write(RunContext context, RunState state, int nodes, double seconds)
    {
        var result = ResultOf(context, state, nodes, seconds);
        RunFolder.WriteText(context.Folder.Report, HtmlReport.Render(result));
        RunResultFile.Write(result, context.Folder.Result); // last: it is what says that the run is finished
    }

    /// <summary>Writes report.html anew from result.json.</summary>
    /// <returns>Where it is.</returns>
    /// <exception cref="SettingsException">The folder holds no finished run.</exception>
    public static string Rewrite(RunFolder folder)
    {
        if (!folder.IsFinished)
        {
            throw new SettingsException(File.Exists(folder.Settings)
                ? $"the run in {folder.Path} is not finished: go on with chorus simulate --resume --out {folder.Path}"
                : $"{folder.Path} holds no run");
        }

        RunFolder.WriteText(folder.Report, HtmlReport.Render(RunResultFile.Read(folder.Result)));
        return folder.Report;
    }

    private static RunResult ResultOf(RunContext context, RunState state, int nodes, double seconds)
    {
        var settings = context.Settings;
        ImmutableArray<ArmMeasured> arms = state.Downstream?.Arms ?? [];
        var method = settings.Method.NameOf();
        var accuracy = arms.IsEmpty ? null : new AccuracyResult(TestOf("floor"), TestOf(method), TestOf("ceiling"));
        var rounds = state.Rounds.Select(r => RoundOf(context, r, state.Started!.CohortSeed)).ToImmutableArray();
        var samples = context.Plan.WritesTexts ? RunFolder.ReadJson<SampleFile>(context.Folder.Samples) : new SampleFile([], []);
        return new RunResult
        {
            Run = context.Run,
            Seed = settings.Seed,
            Nodes = nodes,
            Clients = context.Clients,
            Method = method,
            Data = new DataReference(context.Corpus.Name, context.Corpus.Sha256),
            Accuracy = accuracy,
            GapClosed = RunResult.ShareOfGap(accuracy),
            Downstream = [.. arms.Select(a => new DownstreamArm(a.Name, a.ChosenEpoch, a.ValidationAccuracy, a.TestAccuracy, a.TestTokens) { Topics = a.Topics })],
            Rounds = rounds,
            Final = context.Plan.WritesTexts ? new FinalDistance(state.Synthetic?.Fid, state.Synthetic?.MeanDistance) : null,
            Texts = state.Synthetic?.Texts,
            Cost = CostOf(context, rounds),
            Privacy = PrivacyOf(context, state),
            Seconds = new RunSeconds(seconds, [.. Phases(rounds, state)]),
            Samples = new SampleTexts(samples.Before, samples.After),
            Diagnostics = settings.Diagnostics,
            Command = CommandOf(context),
            Settings = settings.Hocon,
            Versions = Versions(),
        };

        double? TestOf(string arm) => arms.FirstOrDefault(a => a.Name == arm)?.TestAccuracy;
    }

    private static RoundResult RoundOf(RunContext context, RoundState round, ulong? cohortSeed)
    {
        var (candidates, release, policy, evaluated) = (round.Candidates!, round.Release!, round.Policy!, round.Evaluated!);
        return new RoundResult
        {
            Round = round.Round,
            ClientsSampled = release.ClientsSampled,
            ClientsCounted = release.ClientsCounted,
            ClientsSha256 = ClientsShown(context, release.ClientsSha256, cohortSeed),
            ZeroVotes = release.Tally.Zero,
            NotFiniteVotes = release.Tally.NotFinite,
            Turnout = release.Turnout,
            Candidates = candidates.Count,
            CandidatesSha256 = candidates.Sha256,
            ReleaseSha256 = release.Sha256,
            Fid = evaluated.Fid,
            MeanDistance = evaluated.MeanDistance,
            Pairs = policy.Pairs,
            PairsKeptRight = release.PairsKeptRight,
            Dpo = policy.Steps > 0 ? new DpoResult(policy.Steps, policy.FirstLoss, policy.LastLoss, policy.RewardAccuracy) : null,
            EpsilonSoFar = context.EpsilonAfter(round.Round),
            Seconds = new RoundSeconds(candidates.GenerateSeconds, release.FeedbackSeconds, policy.LearnSeconds, evaluated.EvaluateSeconds),
        };
    }

    /// <summary>Bytes at four a number, as the paper counts; times by phase, a mean round.</summary>
    private static CostResult? CostOf(RunContext context, ImmutableArray<RoundResult> rounds)
    {
        if (rounds.IsEmpty)
            return null;
        var array = new FileInfo(context.Folder.Array(context.Settings.Method, rounds[^1].Round)).Length;
        var released = RunFolder.ReadJson<Release>(context.Folder.Release(rounds[^1].Round)).Values.Length;
        var processors = context.Settings.Method.TrainsAtClients() ? 1 : Environment.ProcessorCount; // a device's thread does one client after another
        return new CostResult(
            array,
            (long)released * sizeof(float),
            rounds.Sum(r => r.Seconds.Feedback) * processors / Math.Max(1, rounds.Sum(r => r.ClientsCounted)),
            rounds.Average(r => r.Seconds.Generate + r.Seconds.Learn));
    }

    // A bare hash would let anybody try whether a client was in a secret cohort; under the secret seed it does not.
    private static string ClientsShown(RunContext context, string sha256, ulong? cohortSeed) =>
        context.Charges.Sampling is FullParticipation || context.Settings.Privacy.ReproducibleNoise || cohortSeed is not { } seed
            ? sha256
            : Convert.ToHexStringLower(HMACSHA256.HashData(BitConverter.GetBytes(seed), Convert.FromHexString(sha256)));

    private static PrivacyResult PrivacyOf(RunContext context, RunState state)
    {
        var settings = context.Settings;
        var rounds = state.Rounds.Length;
        // The ledger's own word, so that a charge made twice would show here; of a shared one, what all runs spent.
        var shared = context.Ledger is not null;
        var ledger = rounds == 0 ? context.EpsilonAfter(0) : state.Rounds[^1].Release!.Spend.Epsilon;
        var epsilon = shared ? context.EpsilonAfter(rounds) : ledger;
        var sampling = context.Charges.Sampling;
        return new PrivacyResult
        {
            Epsilon = epsilon,
            Delta = context.Delta,
            Budget = settings.Privacy.Epsilon,
            NoiseMultiplier = context.NoiseMultiplier,
            Rounds = context.Charges.All.IsEmpty ? rounds : context.Charges.All.Sum(c => c.Event.Count),
            ReproducibleNoise = settings.Privacy.ReproducibleNoise,
            Sampling = sampling.ToString()!,
            LedgerEpsilon = shared ? ledger : null,
            Adjacency = settings.Privacy.Adjacency == Adjacency.ReplaceOne ? "replace-one" : "add-or-remove-one",
            Statement = PrivacyStatement.Of(context, epsilon),
        };
    }

    private static IEnumerable<PhaseSeconds> Phases(ImmutableArray<RoundResult> rounds, RunState state)
    {
        yield return new PhaseSeconds("generate", rounds.Sum(r => r.Seconds.Generate));
        yield return new PhaseSeconds("feedback", rounds.Sum(r => r.Seconds.Feedback));
        yield return new PhaseSeconds("learn", rounds.Sum(r => r.Seconds.Learn));
        yield return new PhaseSeconds("evaluate", rounds.Sum(r => r.Seconds.Evaluate));
        yield return new PhaseSeconds("synthesize", state.Synthetic?.Seconds ?? 0);
        yield return new PhaseSeconds("downstream", state.Downstream?.Seconds ?? 0);
    }

    /// <summary>The settings file in the run's folder is the whole recipe: the data's folder or its synthesis included.</summary>
    private static string CommandOf(RunContext context) => $"chorus simulate --run {context.Folder.Settings} --out runs/again";

    private static VersionResult Versions() => new(
        VersionOf(typeof(RunReport)),
        RuntimeInformation.FrameworkDescription,
        VersionOf(typeof(Akka.Actor.ActorSystem)),
        VersionOf(typeof(TorchSharp.torch)),
        RuntimeInformation.OSDescription,
        Environment.ProcessorCount);

    private static string VersionOf(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]
            ?? type.Assembly.GetName().Version!.ToString();
}
