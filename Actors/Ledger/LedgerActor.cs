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

    public LedgerActor(string persistenceId)
    {
        PersistenceId = persistenceId;
        Recover<IEvent>(e => _state = _state.Apply(e));
        Command<OpenLedger>(Open);
        Command<MakeCharge>(Charge);
        Command<CheckPlan>(Check);
    }

    public override string PersistenceId { get; }

    public static Props Props(string persistenceId) => Akka.Actor.Props.Create(() => new LedgerActor(persistenceId));

    private void Open(OpenLedger open)
    {
        if (_state.Budget is null)
        {
            Persist(new LedgerOpened(open.Budget), e =>
            {
                _state = _state.Apply(e);
                Sender.Tell(new LedgerReady(_state.Spend));
            });
        }
        else if (_state.Budget == open.Budget)
        {
            Sender.Tell(new LedgerReady(_state.Spend));
        }
        else
        {
            Sender.Tell(new LedgerRefused($"this ledger was opened with another budget ({_state.Budget}); the budget of data that is already spent on cannot change"));
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
