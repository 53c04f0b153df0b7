namespace Chorus.Actors.Ledger;

/// <summary>What the privacy ledger accepts, answers and persists.</summary>
public static class LedgerProtocol
{
    public interface ICommand;

    public interface IEvent;

    /// <summary>Opens the ledger with its budget, or checks that it was opened with the same one.</summary>
    public sealed record OpenLedger(PrivacyBudget Budget) : ICommand;

    public sealed record LedgerReady(PrivacySpend Spend);

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

    public sealed record LedgerOpened(PrivacyBudget Budget) : IEvent;

    public sealed record ChargeMade(string ChargeId, PrivacyEvent Event) : IEvent;
}

/// <summary>The most that may be spent.</summary>
/// <param name="Unit">What is protected: <c>client</c>.</param>
/// <param name="Adjacency">Which data sets are neighbours: <c>add-or-remove-one</c>.</param>
public sealed record PrivacyBudget(string Unit, string Adjacency, double Epsilon, double Delta);

/// <summary>One release of the Gaussian mechanism with sensitivity 1.</summary>
/// <param name="Mechanism"><c>discrete-gaussian</c>.</param>
/// <param name="NoiseMultiplier">Noise standard deviation over sensitivity.</param>
/// <param name="Sampling">How the cohort was drawn; every scheme is charged as full participation.</param>
public sealed record PrivacyEvent(string Mechanism, double NoiseMultiplier, string Sampling);

/// <summary>What is spent so far.</summary>
public sealed record PrivacySpend(int Charges, double Epsilon, double Delta);
