using System.Collections.Immutable;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Ledger;

/// <summary>The ledger's books. Epsilon is always derived from the charges, never stored.</summary>
/// <param name="Budget">Null until the ledger is opened.</param>
/// <param name="DataSha256">The data set that is spent on.</param>
/// <param name="Charges">What was paid for, by charge id.</param>
public sealed record LedgerState(PrivacyBudget? Budget, string DataSha256, ImmutableSortedDictionary<string, PrivacyEvent> Charges)
{
    public static LedgerState Empty { get; } =
        new(null, "", ImmutableSortedDictionary.Create<string, PrivacyEvent>(StringComparer.Ordinal));

    public PrivacySpend Spend => new(Charges.Count, EpsilonWith([]), Budget?.Delta ?? 0);

    /// <summary>All that was paid for, as the accountants read it.</summary>
    /// <exception cref="InvalidOperationException">The ledger is not open.</exception>
    public PrivacyHistory History => Budget is { } budget
        ? new PrivacyHistory(budget.Unit, budget.Adjacency, [.. Charges.Values])
        : throw new InvalidOperationException("the ledger is not open");

    /// <summary>An event to persist, or null: it is open already, or <paramref name="refusal"/> says why it is not for this run.</summary>
    public LedgerOpened? Decide(OpenLedger command, out LedgerRefused? refusal)
    {
        refusal = null;
        if (Budget is null)
        {
            if (command.Budget is { } first)
                return new LedgerOpened(first, command.DataSha256);
            refusal = new LedgerRefused("the ledger is new and needs a budget: set chorus.privacy.ledger-epsilon");
        }
        else if (command.Budget is { } other && other != Budget)
        {
            refusal = new LedgerRefused(FormattableString.Invariant(
                $"the ledger was opened with another budget (epsilon {Budget.Epsilon:g} at delta {Budget.Delta:g}, {Budget.Unit}, {Budget.Adjacency}; asked for: epsilon {other.Epsilon:g} at delta {other.Delta:g}, {other.Unit}, {other.Adjacency}); the budget of data that is already spent on cannot change"));
        }
        else if (DataSha256.Length > 0 && DataSha256 != command.DataSha256)
        {
            refusal = new LedgerRefused($"the ledger is of another data set ({DataSha256[..Math.Min(12, DataSha256.Length)]}..., this run's is {command.DataSha256[..Math.Min(12, command.DataSha256.Length)]}...): each data set has a ledger of its own");
        }

        return null;
    }

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
        if (Budget is null)
            return 0;
        var history = History;
        var events = history.Events.AddRange(more.Where(m => !Charges.ContainsKey(m.ChargeId)).DistinctBy(m => m.ChargeId).Select(m => m.Event));
        return events.IsEmpty ? 0 : PrivacyAccountant.Epsilon(history with { Events = events }, Budget.Delta);
    }

    public LedgerState Apply(IEvent @event) => @event switch
    {
        LedgerOpened opened when Budget is null => this with { Budget = opened.Budget, DataSha256 = opened.DataSha256 },
        ChargeMade made when Budget is not null && !Charges.ContainsKey(made.ChargeId) =>
            this with { Charges = Charges.Add(made.ChargeId, made.Event) },
        _ => throw new InvalidOperationException($"the ledger's journal is damaged: {@event} cannot follow"),
    };
}
