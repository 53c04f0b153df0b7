using System.Collections.Immutable;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Report;

/// <summary>All figures of one run, as <c>result.json</c> holds them and <see cref="HtmlReport"/> shows them.</summary>
/// <remarks>
/// Names in the file are those of the properties in snake_case; they are kept, and what changes their meaning changes
/// <see cref="CurrentSchema"/>. What is null was not measured (yet). No private text is in it: samples are synthetic.
/// </remarks>
public sealed record RunResult
{
    public const string CurrentSchema = "chorus.result/2";

    public string Schema { get; init; } = CurrentSchema;

    /// <summary>The run's name.</summary>
    public required string Run { get; init; }

    public required ulong Seed { get; init; }

    /// <summary>Processes that took part.</summary>
    public required int Nodes { get; init; }

    /// <summary>Population: clients in the data folder.</summary>
    public required int Clients { get; init; }

    public required DataReference Data { get; init; }

    /// <summary>popri, popri-plus, pe, pe-sft, dp-fedavg, dp-ftrl, dp-sgd, untuned, public or private.</summary>
    public required string Method { get; init; }

    /// <summary>Next-token accuracy on held-out private texts, in [0, 1].</summary>
    public AccuracyResult? Accuracy { get; init; }

    /// <summary>Share of the distance from floor to ceiling that the method covers; see <see cref="ShareOfGap"/>.</summary>
    public double? GapClosed { get; init; }

    /// <summary>One entry for each downstream model trained.</summary>
    public ImmutableArray<DownstreamArm> Downstream { get; init; } = [];

    public ImmutableArray<RoundResult> Rounds { get; init; } = [];

    public FinalDistance? Final { get; init; }

    /// <summary>What the synthetic texts are like beside held-out ones.</summary>
    public TextMeasures? Texts { get; init; }

    /// <summary>What the run asks of a client and of the server.</summary>
    public CostResult? Cost { get; init; }

    public required PrivacyResult Privacy { get; init; }

    public required RunSeconds Seconds { get; init; }

    public SampleTexts Samples { get; init; } = new([], []);

    /// <summary>True where figures made without noise were kept: those are not private.</summary>
    public required bool Diagnostics { get; init; }

    /// <summary>The command that repeats the run.</summary>
    public required string Command { get; init; }

    /// <summary>The resolved <c>run.conf</c>.</summary>
    public required string Settings { get; init; }

    public required VersionResult Versions { get; init; }

    /// <summary>(method - floor) / (ceiling - floor); null where an arm is missing or there is no gap to close.</summary>
    public static double? ShareOfGap(AccuracyResult? accuracy) =>
        accuracy is { Floor: { } floor, Method: { } method, Ceiling: { } ceiling } && ceiling > floor ? (method - floor) / (ceiling - floor) : null;
}

/// <param name="Name">The data folder's name, or that of the generator's settings.</param>
/// <param name="Sha256">SHA-256 over its files.</param>
public sealed record DataReference(string Name, string Sha256);

/// <param name="Floor">Trained on public texts alone.</param>
/// <param name="Method">Trained on public texts and then as the run's method has it: on its synthetic texts, or by clients.</param>
/// <param name="Ceiling">Trained on public and private texts, without noise: not private.</param>
public sealed record AccuracyResult(double? Floor, double? Method, double? Ceiling);

/// <summary>Costs as POPri's paper counts them (arXiv:2504.16438): of one client and of the server, in one round.</summary>
/// <param name="BytesToClient">What a client downloads, at four bytes a number.</param>
/// <param name="BytesFromClient">What it uploads, at four bytes a number.</param>
/// <param name="ClientSeconds">Processor time that the simulation took for a client: an upper bound, for it holds the messages too.</param>
/// <param name="ServerSeconds">Wall-clock time in which the server makes a round's array and learns from its release.</param>
public sealed record CostResult(long BytesToClient, long BytesFromClient, double ClientSeconds, double ServerSeconds);

/// <param name="Arm">floor, the method's name, or ceiling.</param>
/// <param name="Epochs">Passes chosen by validation accuracy.</param>
/// <param name="ValidationAccuracy">In [0, 1].</param>
/// <param name="TestAccuracy">In [0, 1].</param>
/// <param name="Tokens">Held-out tokens predicted.</param>
public sealed record DownstreamArm(string Arm, int Epochs, double ValidationAccuracy, double TestAccuracy, long Tokens)
{
    /// <summary>The test accuracy split by topic; empty where it is not.</summary>
    public ImmutableArray<TopicAccuracy> Topics { get; init => field = value.IsDefault ? [] : value; } = []; // a file that is older than topics has none
}

/// <summary>One round.</summary>
public sealed record RoundResult
{
    /// <summary>From 1.</summary>
    public required int Round { get; init; }

    public required int ClientsSampled { get; init; }

    public required int ClientsCounted { get; init; }

    /// <summary>SHA-256 of the set of clients counted.</summary>
    public required string ClientsSha256 { get; init; }

    /// <summary>Counted clients whose vote was zero: no text, or no spread over the candidates.</summary>
    public required int ZeroVotes { get; init; }

    /// <summary>Counted clients whose vote was not finite and was made zero.</summary>
    public required int NotFiniteVotes { get; init; }

    /// <summary>What became of the clients that were asked, in the simulation's own time; null where all of them answer.</summary>
    public Turnout? Turnout { get; init; }

    public required int Candidates { get; init; }

    public required string CandidatesSha256 { get; init; }

    /// <summary>SHA-256 of the noised scores.</summary>
    public required string ReleaseSha256 { get; init; }

    /// <summary>Fréchet distance between candidates and held-out texts, in embedding space.</summary>
    public double? Fid { get; init; }

    public double? MeanDistance { get; init; }

    public required int Pairs { get; init; }

    /// <summary>Share of pairs that the scores without noise rank alike; null unless diagnostics, for it is not private.</summary>
    public double? PairsKeptRight { get; init; }

    public DpoResult? Dpo { get; init; }

    /// <summary>Epsilon spent up to and with this round, at the run's delta; infinite without noise.</summary>
    public required double EpsilonSoFar { get; init; }

    public required RoundSeconds Seconds { get; init; }
}

public sealed record DpoResult(int Steps, double FirstLoss, double LastLoss, double RewardAccuracy);

/// <summary>Wall-clock seconds of a round's phases.</summary>
public sealed record RoundSeconds(double Generate, double Feedback, double Learn, double Evaluate);

/// <summary>Distances of the synthetic texts from the held-out texts after the last round.</summary>
public sealed record FinalDistance(double? Fid, double? MeanDistance);

/// <summary>What the run guarantees to a client.</summary>
public sealed record PrivacyResult
{
    public string Unit { get; init; } = "client";

    public string Adjacency { get; init; } = "add-or-remove-one";

    /// <summary>Spent in total; infinite without noise.</summary>
    public required double Epsilon { get; init; }

    public required double Delta { get; init; }

    /// <summary>The most epsilon the run was allowed to spend.</summary>
    public required double Budget { get; init; }

    /// <summary>Noise standard deviation over the sensitivity of one release.</summary>
    public required double NoiseMultiplier { get; init; }

    /// <summary>Releases charged.</summary>
    public required int Rounds { get; init; }

    /// <summary>True where the noise follows from the run's seed: whoever knows the seed can take it off.</summary>
    public required bool ReproducibleNoise { get; init; }

    /// <summary>How clients are drawn, as the accountant knows it.</summary>
    public required string Sampling { get; init; }

    /// <summary>Spent by all runs on a shared ledger, this one included; null where the run has a ledger of its own.</summary>
    public double? LedgerEpsilon { get; init; }

    /// <summary>The guarantee and its limits in words.</summary>
    public required string Statement { get; init; }
}

/// <summary>Wall-clock seconds of the run and of its phases, in their order.</summary>
public sealed record RunSeconds(double Total, ImmutableArray<PhaseSeconds> Phases);

public sealed record PhaseSeconds(string Phase, double Seconds);

/// <summary>Texts the policy wrote before the first round and after the last; entry i of both from the same prompt.</summary>
public sealed record SampleTexts(ImmutableArray<string> Before, ImmutableArray<string> After);

/// <summary>What ran, on what.</summary>
public sealed record VersionResult(string Chorus, string Dotnet, string Akka, string Torchsharp, string Os, int ProcessorCount);
