using Chorus.Simulation.Metrics;
using Chorus.Simulation.Report;

namespace Chorus.Simulation.Tests.Report;

/// <summary>A result with every field set.</summary>
internal static class Example
{
    public static RunResult Result(int rounds = 8, bool diagnostics = false, bool reproducible = false) => new()
    {
        Run = "demo",
        Seed = ulong.MaxValue,
        Nodes = 3,
        Clients = 2_000,
        Method = "popri",
        Cost = new CostResult(27_648_000, 72_000, 0.0125, 41.5),
        Data = new DataReference("congress-c2000-s1-a1-i6000-e150-g1", new string('a', 64)),
        Accuracy = new AccuracyResult(0.652, 0.691, 0.731),
        GapClosed = RunResult.ShareOfGap(new AccuracyResult(0.652, 0.691, 0.731)),
        Downstream =
        [
            new DownstreamArm("floor", 8, 0.655, 0.652, 216_000) { Topics = Topics(0.652) },
            new DownstreamArm("popri", 6, 0.694, 0.691, 504_000) { Topics = Topics(0.691) },
            new DownstreamArm("ceiling", 5, 0.735, 0.731, 552_000) { Topics = Topics(0.731) },
        ],
        Rounds = [.. Enumerable.Range(1, rounds).Select(r => Round(r, diagnostics))],
        Final = new FinalDistance(0.0912, 0.742),
        Texts = new TextMeasures(
            0.731, 13, new TextSetMeasures(1_500, 0.021, 0.144, 0.341, new CopyShare(0.214, 9, 31), diagnostics ? new CopyShare(0.12, 7, 19) : null),
            new TextSetMeasures(1_500, 0.024, 0.163, 0.392, new CopyShare(0.207, 9, 28), diagnostics ? new CopyShare(0.13, 8, 22) : null)),
        Privacy = new PrivacyResult
        {
            Epsilon = 6.73,
            Delta = 1e-5,
            Budget = 8,
            NoiseMultiplier = 2.25,
            Rounds = rounds,
            ReproducibleNoise = reproducible,
            Sampling = "all clients in every round",
            Statement = "Whoever sees all that this run released learns little about whether any one client took part: for each set of outcomes the probabilities with and without the client differ by a factor of at most exp(6.73), but for 1e-05.",
        },
        Seconds = new RunSeconds(754.2, [new PhaseSeconds("pretrain", 88.1), new PhaseSeconds("rounds", 602.4), new PhaseSeconds("downstream", 63.7)]),
        Samples = new SampleTexts(
            ["My fellow Americans, I recommend that the Congress pass the gold standard act. Moreover, bankers in the national banks met every obligation in coin.",
             "Gentlemen of the Senate, the condition of the tariff schedule demands your attention. I commend the subject to your early consideration."],
            ["Mr. Speaker, folks in Ohio are worried about the price of insulin. But nurses in rural hospitals worked double shifts without a break.",
             "Madam President, my colleagues and I have offered the Rural Broadband Act. I yield the floor."]),
        Diagnostics = diagnostics,
        Command = "chorus simulate --data congress --clients 2000 --seed 1 --run demo",
        Settings = "chorus {\n  seed = 1\n  popri { rounds = 8, prompts = 400 }\n}\n",
        Versions = new VersionResult("0.1.0", "10.0.1", "1.5.73", "0.107.0", "Linux x64", 2),
    };

    private static System.Collections.Immutable.ImmutableArray<TopicAccuracy> Topics(double accuracy) =>
        [new TopicAccuracy("insulin, hospitals, nurses", 70_000, accuracy + 0.02), new TopicAccuracy("border, asylum, visa", 50_000, accuracy - 0.03)];

    public static RoundResult Round(int round, bool diagnostics = false) => new()
    {
        Round = round,
        ClientsSampled = 2_000,
        ClientsCounted = 1_996,
        ClientsSha256 = new string('b', 64),
        ZeroVotes = 3,
        NotFiniteVotes = 0,
        Candidates = 4_000,
        CandidatesSha256 = new string('c', 64),
        ReleaseSha256 = new string('d', 64),
        Fid = 0.09 + 0.25 / (1 + round),
        MeanDistance = 0.74 + 0.1 / (1 + round),
        Pairs = 400,
        PairsKeptRight = diagnostics ? 0.9 - 0.01 * round : null,
        Dpo = new DpoResult(50, 0.6931, 0.6931 - 0.01 * round, 0.6 + 0.01 * round),
        EpsilonSoFar = 2.38 * Math.Sqrt(round),
        Seconds = new RoundSeconds(31.2, 4.5, 36.1, 3.5),
    };
}
