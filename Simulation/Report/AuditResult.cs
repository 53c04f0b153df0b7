using System.Collections.Immutable;
using System.Text.Json;
using Chorus.Simulation.Privacy.Audit;

namespace Chorus.Simulation.Report;

/// <summary>An audit's claim, findings and pictures, as <c>audit.json</c> holds them and <see cref="AuditReport"/> shows them.</summary>
public sealed record AuditResult
{
    public const string CurrentSchema = "chorus.audit/1";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
    };

    public string Schema { get; init; } = CurrentSchema;

    /// <summary>The run file whose mechanism was audited.</summary>
    public required string Mechanism { get; init; }

    /// <summary>Noise standard deviation over sensitivity.</summary>
    public required double NoiseMultiplier { get; init; }

    /// <summary>The epsilon that one release claims at the findings' delta.</summary>
    public required double ClaimedEpsilon { get; init; }

    /// <summary>Whether a bound of the findings lies above the claim.</summary>
    public required bool Refuted { get; init; }

    public required AuditFindings Findings { get; init; }

    public required ScoreHistogram Histogram { get; init; }

    /// <summary>Hits against false alarms as the threshold falls, from (0, 0) to (1, 1).</summary>
    public required ImmutableArray<RatePoint> Roc { get; init; }

    /// <summary>The coins derive from it, and the noise where it is reproducible.</summary>
    public required ulong Seed { get; init; }

    public required bool ReproducibleNoise { get; init; }

    public required double Seconds { get; init; }

    /// <summary>Sums an audit up.</summary>
    /// <param name="runs">The scores of each run's canaries.</param>
    public static AuditResult Of(
        string mechanism, double noiseMultiplier, double claimedEpsilon, double delta, double confidence,
        IReadOnlyList<IReadOnlyList<CanaryScore>> runs, ulong seed, bool reproducibleNoise, double seconds)
    {
        AuditFindings findings = AuditFindings.Of(runs, delta, confidence);
        CanaryScore[] scores = [.. runs.SelectMany(r => r)];
        return new AuditResult
        {
            Mechanism = mechanism,
            NoiseMultiplier = noiseMultiplier,
            ClaimedEpsilon = claimedEpsilon,
            Refuted = findings.Refute(claimedEpsilon),
            Findings = findings,
            Histogram = ScoreHistogram.Of(scores),
            Roc = RatePoint.Roc(scores),
            Seed = seed,
            ReproducibleNoise = reproducibleNoise,
            Seconds = seconds,
        };
    }

    /// <returns>Indented JSON that ends with a newline.</returns>
    public string ToJson() => JsonSerializer.Serialize(this, Json) + "\n";
}

/// <summary>How many canaries scored in each of equal intervals.</summary>
/// <param name="Low">Where the first interval begins.</param>
/// <param name="Width">Of each interval.</param>
public sealed record ScoreHistogram(double Low, double Width, ImmutableArray<int> In, ImmutableArray<int> Out)
{
    private const int Bins = 60;

    internal static ScoreHistogram Of(CanaryScore[] scores)
    {
        double low = scores.Min(s => s.Score), width = Math.Max((scores.Max(s => s.Score) - low) / Bins, 1e-12);
        var (inside, outside) = (new int[Bins], new int[Bins]);
        foreach (CanaryScore s in scores)
            (s.Included ? inside : outside)[Math.Min((int)((s.Score - low) / width), Bins - 1)]++;
        return new(low, width, [.. inside], [.. outside]);
    }
}

/// <param name="FalseAlarms">Share of the excluded canaries above a threshold.</param>
/// <param name="Hits">Share of the included ones.</param>
public sealed record RatePoint(double FalseAlarms, double Hits)
{
    private const int Points = 200;

    internal static ImmutableArray<RatePoint> Roc(CanaryScore[] scores)
    {
        CanaryScore[] falling = [.. scores.OrderByDescending(s => s.Score)];
        int included = Math.Max(1, scores.Count(s => s.Included)), excluded = Math.Max(1, scores.Count(s => !s.Included));
        var points = ImmutableArray.CreateBuilder<RatePoint>();
        points.Add(new(0, 0));
        int hits = 0, step = Math.Max(1, falling.Length / Points);
        for (int i = 0; i < falling.Length; i++)
        {
            hits += falling[i].Included ? 1 : 0;
            if ((i + 1) % step == 0 || i == falling.Length - 1)
                points.Add(new((double)(i + 1 - hits) / excluded, (double)hits / included));
        }

        return points.ToImmutable();
    }
}
