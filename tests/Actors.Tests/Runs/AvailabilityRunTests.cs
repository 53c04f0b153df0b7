using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;
using Chorus.Simulation.Report;

namespace Chorus.Actors.Tests.Runs;

/// <summary>Whole runs in which not all clients answer.</summary>
[Collection("whole runs")]
public sealed class AvailabilityRunTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_clients_that_stay_away_When_run_on_one_node_and_on_three_Then_the_same_are_counted_and_all_asked_are_charged()
    {
        const string availability = "chorus.clients { cohort = fixed, cohort-size = 8, availability { presence = always, dropout = 0.4, over-selection = 2 } }";
        var one = await RunAsync("one", availability, nodes: 1);
        var three = await RunAsync("three", availability, nodes: 3);

        Assert.Equal(one.Rounds.Select(r => (r.ReleaseSha256, r.ClientsSha256, r.Turnout)), three.Rounds.Select(r => (r.ReleaseSha256, r.ClientsSha256, r.Turnout)));
        Assert.All(one.Rounds, r =>
        {
            Assert.Equal((16, 0), (r.Turnout!.Asked, r.Turnout.Unreachable));
            Assert.Equal(r.ClientsCounted, r.Turnout.Counted);
            Assert.InRange(r.ClientsCounted, 1, 8);
        });
        Assert.Contains(one.Rounds, r => r.Turnout!.Dropped > 0);
        var charged = new PrivacyEvent(Mechanism.DiscreteGaussian, one.Privacy.NoiseMultiplier, new FixedSizeSampling(16, TestRun.Clients), one.Rounds.Length);
        Assert.Equal(PrivacyAccountant.Epsilon([charged], Adjacency.AddOrRemoveOne, one.Privacy.Delta), one.Privacy.Epsilon, 1e-9);
        Assert.Contains("one client may keep another out", one.Privacy.Statement, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_time_when_nobody_is_there_When_run_Then_the_round_releases_noise_and_is_charged()
    {
        var result = await RunAsync("nobody", "chorus.clients.availability { presence = diurnal, from-hour = 12, spread-hours = 1, hours = 1 }", nodes: 1);

        Assert.All(result.Rounds, r => Assert.Equal((TestRun.Clients, TestRun.Clients, 0), (r.Turnout!.Asked, r.Turnout.Unreachable, r.ClientsCounted)));
        Assert.Equal(2, result.Privacy.Rounds);
        Assert.True(result.Privacy.Epsilon > 0);
    }

    [Fact]
    public void Given_a_trace_that_changed_When_resumed_Then_it_is_refused()
    {
        var trace = _folder.In("trace.csv");
        File.WriteAllText(trace, "device,from,to\na,0,86400\n");
        var settings = TestRun.Settings(reference.Data, $"chorus.clients.availability {{ presence = trace, trace = \"{trace}\" }}");
        using (var context = RunPreparation.New(settings, _folder.In("run"), null, CancellationToken.None))
            Assert.Equal(TestRun.Clients, context.CohortOf(1, 5).Cohort.Count);
        File.AppendAllText(trace, "b,0,1\n");
        Assert.Contains("is not the trace of this run", Assert.Throws<SettingsException>(() => RunPreparation.Resume(_folder.In("run"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_availability_off_When_a_cohort_is_drawn_Then_it_is_the_samplers()
    {
        using var context = RunPreparation.New(TestRun.Settings(reference.Data), _folder.In("run"), null, CancellationToken.None);
        var (cohort, turnout) = context.CohortOf(2, 9);
        Assert.Equal(ClientSampler.Draw(new AllClients(), TestRun.Clients, 9, 2), cohort);
        Assert.Null(turnout);
    }

    private async Task<RunResult> RunAsync(string name, string more, int nodes)
    {
        using var context = RunPreparation.New(TestRun.Settings(reference.Data, more), _folder.In(name), null, CancellationToken.None);
        var ended = await new TestRun { Nodes = nodes }.RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
        return RunResultFile.Read(context.Folder.Result);
    }
}
