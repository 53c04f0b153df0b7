using Akka.Actor;
using Akka.Persistence;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Ledger;

/// <summary>
/// The privacy ledger. A charge is durable before its sender hears of it, so nothing is released that is not paid for;
/// a charge is known by its id, so nothing is paid for twice.
/// </summary>
public sealed class LedgerActor : ReceivePersistentActor
{
    private LedgerState _state = LedgerState.Empty;

    public LedgerActor(string persistenceId, string journalPlugin)
    {
        PersistenceId = persistenceId;
        JournalPluginId = journalPlugin;
        Recover<IEvent>(e => _state = _state.Apply(e));
        Command<OpenLedger>(Open);
        Command<MakeCharge>(Charge);
        Command<CheckPlan>(Check);
    }

    public override string PersistenceId { get; }

    /// <param name="journalPlugin">The configuration of the journal that holds it; empty for the system's own.</param>
    public static Props Props(string persistenceId, string journalPlugin = "") =>
        Akka.Actor.Props.Create(() => new LedgerActor(persistenceId, journalPlugin));

    private void Open(OpenLedger open)
    {
        if (_state.Decide(open, out var refusal) is { } opened)
        {
            Persist(opened, e =>
            {
                _state = _state.Apply(e);
                Sender.Tell(new LedgerReady(e.Budget, _state.Spend));
            });
        }
        else
        {
            Sender.Tell(refusal as object ?? new LedgerReady(_state.Budget!, _state.Spend));
        }
    }

    private void Charge(MakeCharge charge)
    {
        if (_state.Decide(charge, out var refusal) is { } made)
        {
            Persist(made, e =>
            {
                _state = _state.Apply(e);
                Sender.Tell(new ChargeAccepted(e.ChargeId, _state.Spend));
            });
        }
        else
        {
            Sender.Tell(refusal ?? new ChargeAccepted(charge.ChargeId, _state.Spend));
        }
    }

    private void Check(CheckPlan check)
    {
        if (_state.Budget is not { } budget)
        {
            Sender.Tell(new LedgerRefused("the ledger is not open: open it with a budget first"));
            return;
        }

        var after = _state.EpsilonWith(check.Plan);
        Sender.Tell(after <= budget.Epsilon
            ? new PlanFits(after)
            : new ChargeRefused(check.Plan[^1].ChargeId, budget, _state.Spend.Epsilon, after));
    }
}
