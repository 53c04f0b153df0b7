using System.Collections.Immutable;
using System.Globalization;
using Chorus.Actors.Settings;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Actors.Runs;

/// <summary>One charge of a run: its name among the run's charges, and what is released for it.</summary>
public sealed record RunCharge(string Name, PrivacyEvent Event);

/// <summary>What a run pays for, and when. The same noise multiplier throughout; none at all where there is no noise.</summary>
/// <remarks>
/// A round of votes or of clipped changes is one release. Under dp-ftrl a client takes part once in a pass of so many rounds as
/// there are bands, and what a pass releases of it is one Gaussian release (docs/privacy.md): a pass is one charge, made in its
/// first round. dp-sgd pays for all of its steps before the first.
/// </remarks>
public sealed class RunCharges
{
    private readonly int _roundsACharge;

    private RunCharges(int roundsACharge, ImmutableArray<RunCharge> all) => (_roundsACharge, All) = (roundsACharge, all);

    /// <summary>Every charge, in order; empty where nothing is private or nothing is released.</summary>
    public ImmutableArray<RunCharge> All { get; }

    /// <summary>How the clients of a release were chosen, as it is charged.</summary>
    public Sampling Sampling => All.IsEmpty ? Sampling.Full : All[0].Event.Sampling;

    /// <summary>The charge that must be paid before the round releases anything; rounds of one pass have the same. Null: none.</summary>
    /// <param name="round">From 1; 0 for a training without rounds.</param>
    public RunCharge? Of(int round) => All.IsEmpty ? null : All[Math.Max(0, round - 1) / _roundsACharge];

    /// <summary>Epsilon of all that is released up to and with a round.</summary>
    public double EpsilonAfter(int round, Adjacency adjacency, double delta) => All.IsEmpty
        ? 0
        : PrivacyAccountant.Epsilon([.. All.Take(Math.Min(All.Length, (Math.Max(1, round) + _roundsACharge - 1) / _roundsACharge)).Select(c => c.Event)], adjacency, delta);

    /// <summary>Charges of a run whose noise is known.</summary>
    /// <param name="noiseMultiplier">0: there is no noise, and no charge could be large enough.</param>
    public static RunCharges Of(RunSettings settings, int clients, double noiseMultiplier)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var (count, roundsACharge, steps) = Shape(settings);
        if (count == 0 || noiseMultiplier == 0)
            return new RunCharges(1, []);
        var mechanism = settings.Method == Method.DpSgd ? Mechanism.Gaussian : Mechanism.DiscreteGaussian;
        var release = new PrivacyEvent(mechanism, noiseMultiplier, SamplingOf(settings, clients), steps);
        return new RunCharges(roundsACharge, [.. Enumerable.Range(1, count).Select(i => new RunCharge(NameOf(settings.Method, i), release))]);
    }

    /// <summary>The least noise with which all charges of a run stay within its budget; 0 where the budget is infinite.</summary>
    public static double NoiseFor(RunSettings settings, int clients, double delta, IReadOnlyCollection<PrivacyEvent>? spent = null, double? epsilon = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var (count, _, steps) = Shape(settings);
        var budget = epsilon ?? settings.Privacy.Epsilon;
        return count == 0 || double.IsPositiveInfinity(budget)
            ? 0
            : NoiseSearch.NoiseMultiplier(budget, delta, count * steps, SamplingOf(settings, clients), settings.Privacy.Adjacency, spent);
    }

    /// <summary>How a release's clients are chosen: what the accountant is told.</summary>
    private static Sampling SamplingOf(RunSettings settings, int clients) => settings.Method switch
    {
        Method.DpSgd => new PoissonSampling(Math.Min(1, (double)settings.DpSgd.Batch / clients)),
        Method.DpFtrl => Sampling.Full,
        _ => settings.SamplingOf(clients),
    };

    /// <summary>Charges, rounds that one of them covers, and releases in each.</summary>
    private static (int Charges, int RoundsACharge, int Steps) Shape(RunSettings settings) => settings.Method switch
    {
        Method.DpSgd => (1, 1, settings.DpSgd.Steps),
        Method.DpFtrl => ((settings.Rounds + settings.Federated.Bands - 1) / settings.Federated.Bands, settings.Federated.Bands, 1),
        var m when m.HasRounds() => (settings.Rounds, 1, 1),
        _ => (0, 1, 1),
    };

    private static string NameOf(Method method, int number) => method switch
    {
        Method.DpSgd => "training",
        Method.DpFtrl => string.Create(CultureInfo.InvariantCulture, $"pass-{number:000}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"round-{number:000}"),
    };
}
