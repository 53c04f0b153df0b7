using System.Collections.Immutable;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Cli.Commands;

/// <summary>What a history costs, by every accountant, as JSON and in words.</summary>
internal sealed class AccountAnswer
{
    private readonly PrivacyHistory _history;
    private readonly double _delta;
    private readonly EpsilonBounds _pld;
    private readonly (double Epsilon, double Order) _rdp;
    private readonly double? _exact;

    public AccountAnswer(PrivacyHistory history, double delta)
    {
        _history = history.Grouped();
        _delta = delta;
        ImmutableArray<PrivacyEvent> events = _history.Events;
        _exact = PrivacyAccountant.Exact(events, history.Adjacency, delta);
        _pld = PldAccountant.Epsilon(events, history.Adjacency, delta);
        _rdp = RdpAccountant.Epsilon(events, history.Adjacency, delta);
    }

    /// <summary>The epsilon that noise was sought for, if any was.</summary>
    public double? Target { get; init; }

    private double Epsilon => _exact ?? _pld.Upper;

    public object ToDocument() => new
    {
        epsilon = Epsilon,
        delta = _delta,
        target_epsilon = Target,
        accountant = _exact is null ? "pld" : "exact",
        exact = _exact,
        pld = _pld.Upper,
        pld_lower = _pld.Lower,
        rdp = _rdp.Epsilon,
        rdp_order = double.IsFinite(_rdp.Order) ? _rdp.Order : (double?)null,
        noise_multiplier = _history.Events is [var one] ? one.NoiseMultiplier : (double?)null,
        rounds = _history.Releases,
        unit = _history.Unit,
        adjacency = _history.Adjacency,
        events = _history.Events,
    };

    public string ToText()
    {
        var lines = new List<string>();
        if (Target is { } target)
            lines.Add(FormattableString.Invariant($"noise multiplier {Math.Ceiling(_history.Events[0].NoiseMultiplier * 1e6) / 1e6:0.######} for epsilon {target:g} at delta {_delta:g} over {_history.Releases} releases"));
        lines.Add(FormattableString.Invariant($"epsilon {Epsilon:0.######} at delta {_delta:g} ({(_exact is null ? "privacy loss distributions" : "exact")})"));
        lines.AddRange(_history.Events.Select(e => FormattableString.Invariant($"  {e.Count} x {(e.Mechanism == Mechanism.DiscreteGaussian ? "discrete Gaussian" : "Gaussian")}, noise multiplier {e.NoiseMultiplier:0.######}, {e.Sampling}")));
        if (_history.Events.IsEmpty)
            lines.Add("  nothing was released");
        lines.Add(FormattableString.Invariant($"privacy loss distributions: at most {_pld.Upper:0.######}, at least {_pld.Lower:0.######}; Renyi: {_rdp.Epsilon:0.######}"));
        var (unit, adjacency) = (_history.Unit == PrivacyUnit.Client ? "client" : "example", _history.Adjacency == Adjacency.ReplaceOne ? "replace one" : "add or remove one");
        lines.Add($"unit: {unit}; adjacency: {adjacency}; sensitivity 1 to adding or removing one");
        if (_history.Events.Any(e => e.Sampling is not FullParticipation))
            lines.Add("sampling is counted on for as long as nobody learns who was drawn");
        return string.Join(Environment.NewLine, lines);
    }
}
