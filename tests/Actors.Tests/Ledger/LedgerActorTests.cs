using Akka.Actor;
using Akka.TestKit.Xunit2;
using Chorus.Actors.Ledger;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;
using CsCheck;
using static Chorus.Actors.Ledger.LedgerProtocol;

namespace Chorus.Actors.Tests.Ledger;

public sealed class LedgerActorTests() : TestKit(
    """
    akka.persistence.journal.plugin = "akka.persistence.journal.inmem"
    akka.persistence.snapshot-store.plugin = "akka.persistence.snapshot-store.inmem"
    """)
{
    private const string Data = "da7a5e7";

    private static readonly PrivacyEvent Event = new(Mechanism.DiscreteGaussian, 10, Sampling.Full);

    private static PrivacyBudget BudgetFor(int releases) =>
        new(PrivacyUnit.Client, Adjacency.AddOrRemoveOne, GaussianAccountant.Epsilon(10, releases, 1e-5), 1e-5);

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
        ledger.Tell(new MakeCharge("a", new PrivacyEvent(Mechanism.DiscreteGaussian, 1, Sampling.Full)), TestActor);
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
        ledger.Tell(new OpenLedger(BudgetFor(3), Data), TestActor);
        await ExpectMsgAsync<LedgerRefused>();
    }

    [Fact]
    public async Task Given_an_open_ledger_When_opened_for_another_data_set_Then_it_is_refused_and_for_its_own_it_is_as_it_was()
    {
        var ledger = await OpenAsync("data", BudgetFor(2));
        ledger.Tell(new OpenLedger(BudgetFor(2), "0the4da7a"), TestActor);
        Assert.Contains("another data set", (await ExpectMsgAsync<LedgerRefused>()).Reason, StringComparison.Ordinal);
        ledger.Tell(new OpenLedger(null, Data), TestActor);
        Assert.Equal(BudgetFor(2), (await ExpectMsgAsync<LedgerReady>()).Budget);
    }

    [Fact]
    public async Task Given_a_new_ledger_When_opened_without_a_budget_Then_it_says_how_to_give_one()
    {
        var ledger = Sys.ActorOf(LedgerActor.Props("none"));
        ledger.Tell(new OpenLedger(null, Data), TestActor);
        Assert.Contains("ledger-epsilon", (await ExpectMsgAsync<LedgerRefused>()).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_sampled_releases_When_charged_Then_they_cost_what_the_accountant_says_and_less_than_full_ones()
    {
        PrivacyEvent sampled = new(Mechanism.DiscreteGaussian, 2, new PoissonSampling(0.1));
        var ledger = await OpenAsync("sampled", new PrivacyBudget(PrivacyUnit.Client, Adjacency.AddOrRemoveOne, 1, 1e-5));
        ledger.Tell(new MakeCharge("a", sampled), TestActor);
        await ExpectMsgAsync<ChargeAccepted>();
        ledger.Tell(new MakeCharge("b", sampled), TestActor);
        double spent = (await ExpectMsgAsync<ChargeAccepted>()).Spend.Epsilon;
        Assert.Equal(PldAccountant.Epsilon([sampled with { Count = 2 }], Adjacency.AddOrRemoveOne, 1e-5).Upper, spent);
        Assert.True(spent < GaussianAccountant.Epsilon(2, 2, 1e-5) / 2);
    }

    // However the charges are cut by crashes, and however often each is asked for: the same books.
    [Fact]
    public void Given_any_order_of_charges_and_crashes_When_replayed_Then_the_books_are_those_of_an_uninterrupted_ledger() =>
        Gen.Select(Gen.Int[1, 6].Array[1, 30], Gen.Int[0, 5].Array[0, 10]).Sample((asked, crashes) =>
        {
            var (state, journal) = (LedgerState.Empty, new List<IEvent>());
            Take(state.Decide(new OpenLedger(BudgetFor(4), Data), out _)!);
            foreach (var (i, id) in asked.Index())
            {
                if (crashes.Contains(i))
                    state = journal.Aggregate(LedgerState.Empty, (s, e) => s.Apply(e));
                if (state.Decide(new MakeCharge($"{id}", Event), out _) is { } made)
                    Take(made);
            }

            var first = asked.Distinct().Take(4).Select(id => $"{id}").ToHashSet();
            return state.Charges.Keys.ToHashSet().SetEquals(first)
                && state.Spend.Epsilon <= BudgetFor(4).Epsilon
                && journal.Aggregate(LedgerState.Empty, (s, e) => s.Apply(e)).Spend == state.Spend;

            void Take(IEvent e)
            {
                journal.Add(e);
                state = state.Apply(e);
            }
        });

    private async Task<IActorRef> OpenAsync(string id, PrivacyBudget budget)
    {
        var ledger = Sys.ActorOf(LedgerActor.Props(id));
        ledger.Tell(new OpenLedger(budget, Data), TestActor);
        await ExpectMsgAsync<LedgerReady>();
        return ledger;
    }
}
