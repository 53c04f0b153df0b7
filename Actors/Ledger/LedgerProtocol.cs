using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Ledger;

/// <summary>What the privacy ledger accepts, answers and persists.</summary>
public static class LedgerProtocol
{
    public interface ICommand;

    /// <summary>What is persisted. Fields are only ever added, and then with a default.</summary>
    public interface IEvent;

    /// <summary>Opens the ledger of a data set with its budget, or checks that it was opened for the same.</summary>
    /// <param name="Budget">Null: whatever the ledger was opened with.</param>
    /// <param name="DataSha256">The data set that is spent on.</param>
    public sealed record OpenLedger(PrivacyBudget? Budget, string DataSha256) : ICommand;

    public sealed record LedgerReady(PrivacyBudget Budget, PrivacySpend Spend);

    public sealed record LedgerRefused(string Reason);

    /// <summary>
    /// Asks to pay for one release. Idempotent by <paramref name="ChargeId"/>: paying again for the same release is
    /// accepted and costs nothing more.
    /// </summary>
    public sealed record MakeCharge(string ChargeId, PrivacyEvent Event) : ICommand;

    /// <summary>Would this plan of charges, on top of what is spent, stay within the budget? Nothing is charged.</summary>
    public sealed record CheckPlan(IReadOnlyList<MakeCharge> Plan) : ICommand;

    public sealed record PlanFits(double EpsilonAfter);

    public sealed record ChargeAccepted(string ChargeId, PrivacySpend Spend);

    /// <summary>The charge would pass the budget. Nothing was charged.</summary>
    public sealed record ChargeRefused(string ChargeId, PrivacyBudget Budget, double EpsilonSpent, double EpsilonAfter)
    {
        public string Message =>
            FormattableString.Invariant($"the budget refuses charge {ChargeId}: epsilon {EpsilonSpent:0.######} of {Budget.Epsilon:0.######} is spent at delta {Budget.Delta:g}, and with this charge it would be {EpsilonAfter:0.######}; raise the budget, raise the noise or run fewer rounds");
    }

    /// <param name="DataSha256">Empty in journals older than shared ledgers: the data of the one run that they are of.</param>
    public sealed record LedgerOpened(PrivacyBudget Budget, string DataSha256 = "") : IEvent;

    public sealed record ChargeMade(string ChargeId, PrivacyEvent Event) : IEvent;
}

/// <summary>The most that may be spent.</summary>
/// <param name="Unit">What is protected.</param>
/// <param name="Adjacency">Which data sets are neighbours.</param>
public sealed record PrivacyBudget(PrivacyUnit Unit, Adjacency Adjacency, double Epsilon, double Delta);

/// <summary>What is spent so far.</summary>
public sealed record PrivacySpend(int Charges, double Epsilon, double Delta);
