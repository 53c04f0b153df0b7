using System.Collections.Immutable;
using Chorus.Simulation.Privacy;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Ledger;

/// <summary>The ledger's books. Epsilon is always derived from the charges, never stored.</summary>
/// <param name="Budget">Null until the ledger is opened.</param>
/// <param name="Charges">What was paid for, by charge id.</param>
public sealed record LedgerState(PrivacyBudget? Budget, ImmutableSortedDictionary<string, PrivacyEvent> Charges)
{
    public static LedgerState Empty { get; } =
        new(null, ImmutableSortedDictionary.Create<string, PrivacyEvent>(StringComparer.Ordinal));

    public PrivacySpend Spend => new(Charges.Count, EpsilonWith([]), Budget?.Delta ?? 0);

    /// <summary>An event to persist, or null: the charge is already paid, or <paramref name="refusal"/> says why not.</summary>
    public ChargeMade? Decide(MakeCharge command, out object? refusal)
    {
        refusal = null;
        if (Budget is null)
        {
            refusal = new LedgerRefused("the ledger is not open: open it with a budget before charging");
            return null;
        }

        if (Charges.TryGetValue(command.ChargeId, out var paid))
        {
            if (paid != command.Event)
                refusal = new LedgerRefused($"charge {command.ChargeId} was made before for another event ({paid}); a release cannot change once it is paid for");
            return null;
        }

        var after = EpsilonWith([command]);
        if (!(after <= Budget.Epsilon))
        {
            refusal = new ChargeRefused(command.ChargeId, Budget, EpsilonWith([]), after);
            return null;
        }

        return new ChargeMade(command.ChargeId, command.Event);
    }

    /// <summary>Epsilon at the budget's delta if the given charges were made too; those already paid cost nothing.</summary>
    public double EpsilonWith(IEnumerable<MakeCharge> more)
    {
        var events = Charges.Values.Concat(more.Where(m => !Charges.ContainsKey(m.ChargeId)).Select(m => m.Event))
            .GroupBy(e => e.NoiseMultiplier)
            .OrderBy(g => g.Key)
            .Select(g => (g.Key, g.Count()))
            .ToArray();
        return events.Length == 0 || Budget is null ? 0 : GaussianAccountant.Epsilon(events, Budget.Delta);
    }

    public LedgerState Apply(IEvent @event) => @event switch
    {
        LedgerOpened opened when Budget is null => this with { Budget = opened.Budget },
        ChargeMade made when Budget is not null && !Charges.ContainsKey(made.ChargeId) =>
            this with { Charges = Charges.Add(made.ChargeId, made.Event) },
        _ => throw new InvalidOperationException($"the ledger's journal is damaged: {@event} cannot follow"),
    };
}
