namespace Chorus.Cluster.Tests.Chaos;

/// <summary>A few seeded schedules; <c>dotnet run -c Release --project Benchmarks -- chaos</c> plays as many as wanted.</summary>
[Collection(LabCollection.Name)]
public sealed class ChaosTests(ChaosLab lab)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(150);

    [Theory]
    [InlineData(2)]
    public async Task Given_a_schedule_of_kills_pauses_and_joins_When_the_run_is_over_Then_it_is_the_undisturbed_run(int seed) =>
        await PlayAsync(ChaosSchedule.Of(seed, network: false), null);

    [NetworkTheory]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Given_a_schedule_with_a_network_that_breaks_When_the_run_is_over_Then_it_is_the_undisturbed_run(int seed)
    {
        using var network = NetworkLab.Create();
        network.Add(0);
        await PlayAsync(ChaosSchedule.Of(seed, network: true), network);
    }

    private async Task PlayAsync(ChaosSchedule schedule, NetworkLab? network)
    {
        var expected = await lab.UndisturbedAsync();
        var outcome = await ChaosRun.PlayAsync(lab, schedule, network, Deadline);
        Assert.Equal(expected, FinishedSummary.Of(outcome.Output));
    }
}

/// <summary>Every test class is in it: one after the other, as each starts processes that want the cores.</summary>
[CollectionDefinition(Name)]
public sealed class LabCollection : ICollectionFixture<ChaosLab>
{
    public const string Name = "lab";
}

/// <summary>A theory that needs network namespaces, and is skipped with the reason where there are none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NetworkTheoryAttribute : TheoryAttribute
{
    public NetworkTheoryAttribute() => Skip = NetworkLab.Missing;
}
