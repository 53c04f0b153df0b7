using Chorus.Simulation.Metrics;

namespace Chorus.Simulation.Report;

/// <summary>One run of a comparison: a method under a budget with a seed.</summary>
/// <param name="Method">As in <see cref="RunResult.Method"/>.</param>
/// <param name="Epsilon">The budget; null for a method that spends none.</param>
/// <param name="Seed">The run's.</param>
/// <param name="Command">The command that repeats it.</param>
/// <param name="Result">Null where it has not ended well.</param>
/// <param name="Error">Why not; null where it has not been tried.</param>
public sealed record ComparisonCell(string Method, double? Epsilon, ulong Seed, string Command, RunResult? Result, string? Error = null);

/// <summary>A method under a budget, over its seeds.</summary>
/// <param name="Method">As in <see cref="RunResult.Method"/>.</param>
/// <param name="Epsilon">The budget; null for a method that spends none.</param>
/// <param name="Accuracy">Next-token accuracy; null where no seed has one.</param>
/// <param name="GapClosed">Share of the gap between the seed's own floor and ceiling; null where no seed has both.</param>
/// <param name="Ahead">Gap closed less the reference method's under the same budget, over the seeds that both have; null for the reference itself.</param>
/// <param name="Fid">Fréchet distance of the product to held-out texts; null where there is none.</param>
/// <param name="Mauve">Likeness of the product to held-out texts; null where there is none.</param>
/// <param name="Cost">Of a round, a mean over seeds; null where there are no rounds.</param>
/// <param name="Seconds">Wall-clock time of a run, a mean over seeds.</param>
public sealed record ComparisonRow(
    string Method, double? Epsilon, SeedMean? Accuracy, SeedMean? GapClosed, SeedMean? Ahead, SeedMean? Fid, SeedMean? Mauve, CostResult? Cost, double? Seconds);

/// <summary>Runs of several methods on the same data, laid side by side. Floor and ceiling of a seed are those of its runs of public and private.</summary>
public sealed class Comparison
{
    private const string FloorMethod = "public", CeilingMethod = "private";

    /// <param name="cells">All runs, done or not, in the order in which methods and budgets are to be shown.</param>
    public Comparison(IReadOnlyList<ComparisonCell> cells)
    {
        ArgumentNullException.ThrowIfNull(cells);
        Cells = cells;
        Floors = cells.Where(c => c.Result?.Accuracy?.Floor is not null).GroupBy(c => c.Seed).ToDictionary(g => g.Key, g => g.First().Result!.Accuracy!.Floor!.Value);
        Ceilings = cells.Where(c => c.Method == CeilingMethod && c.Result?.Accuracy?.Method is not null).ToDictionary(c => c.Seed, c => c.Result!.Accuracy!.Method!.Value);
        var keys = cells.Where(c => !IsBound(c)).Select(c => (c.Method, c.Epsilon)).Distinct().ToArray();
        Reference = keys.Select(k => k.Method).FirstOrDefault();
        Rows = [.. keys.Select(k => RowOf(k.Method, k.Epsilon))];
    }

    public IReadOnlyList<ComparisonCell> Cells { get; }

    /// <summary>A row for each method and budget, bounds apart.</summary>
    public IReadOnlyList<ComparisonRow> Rows { get; }

    /// <summary>The method that the others are set against: the first named; null where there are bounds alone.</summary>
    public string? Reference { get; }

    /// <summary>Accuracy on public texts alone, by seed.</summary>
    public IReadOnlyDictionary<ulong, double> Floors { get; }

    /// <summary>Accuracy with the private texts themselves, by seed.</summary>
    public IReadOnlyDictionary<ulong, double> Ceilings { get; }

    /// <summary>Whether a cell is one of the two ends of the scale.</summary>
    public static bool IsBound(ComparisonCell cell) => cell?.Method is FloorMethod or CeilingMethod;

    /// <summary>The share of its seed's gap that a cell closes; null where floor, ceiling or gap is missing.</summary>
    public double? GapOf(ComparisonCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return Floors.TryGetValue(cell.Seed, out double floor) && Ceilings.TryGetValue(cell.Seed, out double ceiling)
            ? RunResult.ShareOfGap(new AccuracyResult(floor, cell.Result?.Accuracy?.Method, ceiling))
            : null;
    }

    private ComparisonRow RowOf(string method, double? epsilon)
    {
        var own = Done(method, epsilon);
        CostResult[] costs = [.. own.Select(c => c.Result!.Cost).OfType<CostResult>()];
        Dictionary<ulong, double> gaps = Gaps(method, epsilon), others = Reference is null ? [] : Gaps(Reference, epsilon);
        return new ComparisonRow(
            method, epsilon,
            MeanOf(own, r => r.Accuracy?.Method),
            gaps.Count > 0 ? SeedMean.Of(gaps.Values) : null,
            method != Reference && gaps.Keys.Any(others.ContainsKey) ? SeedMean.OfDifferences(gaps, others) : null,
            MeanOf(own, r => r.Final?.Fid),
            MeanOf(own, r => r.Texts?.Mauve),
            costs.Length == 0 ? null : new CostResult(costs[0].BytesToClient, costs[0].BytesFromClient, costs.Average(c => c.ClientSeconds), costs.Average(c => c.ServerSeconds)),
            own.Length == 0 ? null : own.Average(c => c.Result!.Seconds.Total));
    }

    private Dictionary<ulong, double> Gaps(string method, double? epsilon) =>
        Done(method, epsilon).Where(c => GapOf(c) is not null).ToDictionary(c => c.Seed, c => GapOf(c)!.Value);

    private ComparisonCell[] Done(string method, double? epsilon) =>
        [.. Cells.Where(c => c.Method == method && c.Epsilon.Equals(epsilon) && c.Result is not null)];

    private static SeedMean? MeanOf(ComparisonCell[] cells, Func<RunResult, double?> figure)
    {
        double[] values = [.. cells.Select(c => figure(c.Result!)).OfType<double>().Where(double.IsFinite)];
        return values.Length > 0 ? SeedMean.Of(values) : null;
    }
}
