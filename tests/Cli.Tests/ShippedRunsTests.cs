using Chorus.Actors.Settings;
using Chorus.Simulation.Data;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Privacy;

namespace Chorus.Cli.Tests;

/// <summary>The run files of Hocon/runs.</summary>
public sealed class ShippedRunsTests
{
    public static TheoryData<string> All => [.. HoconFiles.ShippedRuns];

    [Theory]
    [MemberData(nameof(All))]
    public void Given_a_shipped_run_When_it_is_read_Then_it_bears_its_name_and_reads_back(string name)
    {
        var settings = RunSettings.From(HoconFiles.Run(name));

        Assert.Equal(name, settings.Name);
        Assert.Equal(settings.Hocon, RunSettings.From(("again", Akka.Configuration.ConfigurationFactory.ParseString(settings.Hocon))).Hocon);
    }

    /// <summary>arXiv:2504.16438: 72,000 clients, 1,800 prompts x 10, rejected rank 5, 20 rounds, LoRA 16/16, beta 0.01, 64 tokens.</summary>
    [Theory]
    [InlineData("congress-eps1", CorpusFlavour.Congress)]
    [InlineData("biorxiv-eps1", CorpusFlavour.Biorxiv)]
    public void Given_a_paper_run_When_it_is_read_Then_it_has_the_papers_settings(string name, CorpusFlavour flavour)
    {
        var settings = RunSettings.From(HoconFiles.Run(name));

        Assert.Equal((flavour, 72_000), (settings.Data.Synthesis!.Flavour, settings.Data.Synthesis.Clients));
        Assert.Equal((1800, 10, 5), (settings.Popri.Prompts, settings.Popri.Samples, settings.Popri.RejectedRank));
        Assert.Equal((20, 1.0, 3e-6, false), (settings.Rounds, settings.Privacy.Epsilon, settings.Privacy.DeltaFor(72_000), settings.Privacy.ReproducibleNoise));
        Assert.Equal((16, 16.0, 0.01, 64), (settings.Policy.LoraRank, settings.Policy.LoraAlpha, settings.Policy.Dpo.Beta, settings.Policy.TextTokens));
        Assert.IsType<AllClients>(settings.Clients.Cohort);
        Assert.Null(settings.Privacy.NoiseMultiplier);
        Assert.Equal(17.864, GaussianAccountant.NoiseMultiplier(settings.Privacy.Epsilon, settings.Rounds, settings.Privacy.DeltaFor(72_000)), 3);
    }

    [Fact]
    public void Given_the_quickstart_When_it_is_read_Then_it_repeats_and_has_at_least_2000_clients()
    {
        var settings = RunSettings.From(HoconFiles.Run("quickstart"));

        Assert.True(settings.Privacy.ReproducibleNoise);
        Assert.True(settings.Data.Synthesis!.Clients >= 2000);
        Assert.True(settings.Policy.Threads > 0, "sums differ between thread counts, so 0 (all cores) would not repeat elsewhere");
    }

    /// <summary>Shares of the gap stand beside each other only between the same floor and ceiling, on the same corpus.</summary>
    [Fact]
    public void Given_the_quickstart_for_a_gpu_When_it_is_read_Then_it_differs_in_the_policy_alone()
    {
        static string[] Others(string name) => [.. RunSettings.From(HoconFiles.Run(name)).Hocon.Split('\n').Where(l => !l.StartsWith("chorus.policy.", StringComparison.Ordinal) && !l.StartsWith("chorus.name ", StringComparison.Ordinal))];

        Assert.Equal(Others("quickstart"), Others("quickstart-gpu"));
        Assert.True(RunSettings.From(HoconFiles.Run("quickstart-gpu")).Policy.Model.Hidden > RunSettings.From(HoconFiles.Run("quickstart")).Policy.Model.Hidden);
    }
}
