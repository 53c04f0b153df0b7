using Akka.Actor;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Ledger;
using Chorus.Simulation.Privacy;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Tests.Ledger;

public sealed class LedgerActorTests() : TestKit(
    """
    akka.persistence.journal.plugin = "akka.persistence.journal.inmem"
    akka.persistence.snapshot-store.plugin = "akka.persistence.snapshot-store.inmem"
    """)
{
    private static readonly PrivacyEvent Event = new("discrete-gaussian", 10, "all");

    private static PrivacyBudget BudgetFor(int releases) =>
        new("client", "add-or-remove-one", GaussianAccountant.Epsilon(10, releases, 1e-5), 1e-5);

    [Fact]
    public async Task Given_a_budget_for_two_releases_When_three_are_charged_Then_the_third_is_refused_and_costs_nothing()
    {
        var ledger = await OpenAsync("two", BudgetFor(2));
        ledger.Tell(new MakeCharge("a", Event), TestActor);
        Assert.Equal(1, (await ExpectMsgAsync<ChargeAccepted>()).Spend.Charges);
        ledger.Tell(new MakeCharge("b", Event), TestActor);
        Assert.Equal(GaussianAccountant.Epsilon(10, 2, 1e-5), (await ExpectMsgAsync<ChargeAccepted>()).Spend.Epsilon, 9);
        ledger.Tell(new MakeCharge("c", Event), TestActor);
        var refused = await ExpectMsgAsync<ChargeRefused>();
        Assert.True(refused.EpsilonAfter > refused.Budget.Epsilon);
        Assert.Contains("raise the noise", refused.Message, StringComparison.Ordinal);
        ledger.Tell(new MakeCharge("c", Event), TestActor);
        await ExpectMsgAsync<ChargeRefused>();
    }

    [Fact]
    public async Task Given_a_paid_charge_When_paid_again_even_after_a_crash_Then_it_is_accepted_and_costs_nothing_more()
    {
        var ledger = await OpenAsync("again", BudgetFor(1));
        ledger.Tell(new MakeCharge("a", Event), TestActor);
        var first = await ExpectMsgAsync<ChargeAccepted>();
        ledger.Tell(new MakeCharge("a", Event), TestActor);
        Assert.Equal(first, await ExpectMsgAsync<ChargeAccepted>());

        await WatchAsync(ledger);
        Sys.Stop(ledger);
        await ExpectTerminatedAsync(ledger);
        var resumed = await OpenAsync("again", BudgetFor(1));
        resumed.Tell(new MakeCharge("a", Event), TestActor);
        Assert.Equal(first, await ExpectMsgAsync<ChargeAccepted>());
    }

    [Fact]
    public async Task Given_a_paid_charge_When_the_same_id_names_less_noise_Then_it_is_refused()
    {
        var ledger = await OpenAsync("other", BudgetFor(5));
        ledger.Tell(new MakeCharge("a", Event), TestActor);
        await ExpectMsgAsync<ChargeAccepted>();
        ledger.Tell(new MakeCharge("a", Event with { NoiseMultiplier = 1 }), TestActor);
        await ExpectMsgAsync<LedgerRefused>();
    }

    [Fact]
    public async Task Given_a_plan_past_the_budget_When_checked_Then_it_is_refused_before_anything_is_charged()
    {
        var ledger = await OpenAsync("plan", BudgetFor(2));
        ledger.Tell(new CheckPlan([new("a", Event), new("b", Event)]), TestActor);
        await ExpectMsgAsync<PlanFits>();
        ledger.Tell(new CheckPlan([new("a", Event), new("b", Event), new("c", Event)]), TestActor);
        Assert.Equal(0, (await ExpectMsgAsync<ChargeRefused>()).EpsilonSpent);
    }

    [Fact]
    public async Task Given_an_open_ledger_When_opened_with_another_budget_Then_it_is_refused()
    {
        var ledger = await OpenAsync("budget", BudgetFor(2));
        ledger.Tell(new OpenLedger(BudgetFor(3)), TestActor);
        await ExpectMsgAsync<LedgerRefused>();
    }

    private async Task<IActorRef> OpenAsync(string id, PrivacyBudget budget)
    {
        var ledger = Sys.ActorOf(LedgerActor.Props(id));
        ledger.Tell(new OpenLedger(budget), TestActor);
        await ExpectMsgAsync<LedgerReady>();
        return ledger;
    }
}
