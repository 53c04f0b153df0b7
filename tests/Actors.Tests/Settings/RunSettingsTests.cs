using Akka.Configuration;
using Chorus.Actors.Settings;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Tests.Settings;

public sealed class RunSettingsTests
{
    public static TheoryData<string> ShippedRuns => [.. HoconFiles.ShippedRuns];

    [Fact]
    public void Given_nothing_but_the_reference_When_read_Then_every_key_has_a_default_that_is_allowed()
    {
        var settings = RunSettings.From();
        Assert.Equal(("run", 1UL), (settings.Name, settings.Seed));
        Assert.NotNull(settings.Data.Synthesis);
        Assert.IsType<AllClients>(settings.Clients.Cohort);
        Assert.Null(settings.Privacy.Delta);
        Assert.False(settings.Privacy.ReproducibleNoise);
        Assert.True(settings.Evaluation.Downstream);
    }

    // A key that nothing reads does not refuse what no setting can be. Those that have a meaning only under another
    // setting are listed with it.
    [Fact]
    public void Given_every_key_of_the_reference_When_set_to_what_no_setting_can_be_Then_it_is_refused_by_name()
    {
        foreach (var key in new SettingsReader(HoconFiles.Reference).Values.Keys)
        {
            if (key is "data.directory" or "policy.device" or "policy.tuning-devices" or "policy.checkpoint" or "downstream.checkpoint" or "privacy.ledger")
                continue; // texts that are checked where they are used
            var context = key switch
            {
                "clients.cohort-size" => "chorus.clients.cohort = fixed\n",
                "clients.cohort-probability" => "chorus.clients.cohort = poisson\n",
                _ => "",
            };
            var e = Assert.Throws<SettingsException>(() => From($"{context}chorus.{key} = \"no/such value\""));
            Assert.Contains($"chorus.{key} must be ", e.Message, StringComparison.Ordinal);
            Assert.Contains("no/such value", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("rounds = 0", "chorus.rounds must be a whole number in [1, 999], got \"0\"")]
    [InlineData("rounds = 1.5", "chorus.rounds must be a whole number in [1, 999], got \"1.5\"")]
    [InlineData("seed = -1", "chorus.seed must be a whole number of at least 0, got \"-1\"")]
    [InlineData("privacy.epsilon = 0", "chorus.privacy.epsilon must be a number in (0, 1000000], or inf for no noise, got \"0\"")]
    [InlineData("privacy.epsilon = NaN", "chorus.privacy.epsilon must be a number in (0, 1000000], or inf for no noise, got \"NaN\"")]
    [InlineData("privacy.delta = 1", "chorus.privacy.delta must be auto or a number in (0, 1), got \"1\"")]
    [InlineData("privacy.reproducible-noise = maybe", "chorus.privacy.reproducible-noise must be on or off, got \"maybe\"")]
    [InlineData("clients.cohort = some", "chorus.clients.cohort must be one of all, fixed, poisson, got \"some\"")]
    [InlineData("clients.quorum = 1.01", "chorus.clients.quorum must be a number in (0, 1], got \"1.01\"")]
    [InlineData("clients.round-deadline = soon", "chorus.clients.round-deadline must be a duration such as 30s, 10m or 2h, got \"soon\"")]
    [InlineData("clients.round-deadline = 0s", "chorus.clients.round-deadline must be a duration above zero such as 30s, 10m or 2h, got \"0s\"")]
    [InlineData("federated.server-momentum = 1", "chorus.federated.server-momentum must be auto or a number in [0, 0.999], got \"1\"")]
    [InlineData("name = a/b", "chorus.name must be 1 to 64 letters, digits, '-', '_' or '.', got \"a/b\"")]
    [InlineData("popri.rejected-rank = 11", "chorus.popri.rejected-rank must be in [2, 10], the samples of a prompt, got \"11\"")]
    [InlineData("policy.model.heads = 3", "chorus.policy.model.heads must be a divisor of policy.model.hidden = 128 that leaves an even head size, got \"3\"")]
    [InlineData("clients.availability { presence = trace }", "chorus.clients.availability.trace must be the file of a trace, for clients.availability.presence is trace, got \"\"")]
    [InlineData("clients.availability { presence = always, deadline = 2h }", "chorus.clients.availability.deadline must be at most clients.availability.round-every, 01:00:00, got \"2h\"")]
    [InlineData("data.synthesize.eval-clients = 9", "chorus.data.synthesize.eval-clients must be a whole number in [10, 1000000], got \"9\"")]
    public void Given_a_value_out_of_its_range_When_read_Then_the_message_names_key_range_and_value(string setting, string message) =>
        Assert.Equal(message, Assert.Throws<SettingsException>(() => From($"chorus.{setting}")).Message);

    // Correlated noise cancels in plain sums of the rounds, which momentum does not make.
    [Theory]
    [InlineData("method = dp-fedavg", 0.9)]
    [InlineData("method = dp-ftrl", 0.0)]
    [InlineData("method = dp-ftrl, chorus.federated.server-momentum = 0.5", 0.5)]
    public void Given_a_federated_method_When_momentum_is_left_to_it_Then_it_is_what_its_noise_is_made_for(string setting, double momentum) =>
        Assert.Equal(momentum, From($"chorus.{setting}").Federated.ServerMomentum);

    // Who answers is not secret and one may keep another out, so that those who are asked are charged, and never as Poisson sampling.
    [Fact]
    public void Given_over_selection_When_charged_Then_as_a_fixed_cohort_of_all_that_are_asked_and_the_divisor_stays()
    {
        const string availability = "chorus.clients { cohort = fixed, cohort-size = 10, availability { presence = always, dropout = 0.2, over-selection = 1.35 } }\n";
        var settings = From(availability);
        Assert.Equal(new FixedSize(14), settings.Clients.Asked(100));
        Assert.Equal(new FixedSizeSampling(14, 100), settings.SamplingOf(100));
        Assert.Equal(new FixedSizeSampling(12, 12), settings.SamplingOf(12)); // no more than there are
        Assert.Equal(new FixedSizeSampling(100, 100), From(availability + "chorus.privacy.amplification = off").SamplingOf(100));
        Assert.Equal(10, settings.Clients.Cohort.ExpectedSize(100));
        Assert.Equal(new FixedSizeSampling(10, 100), From(availability + "chorus.clients.availability.over-selection = 1").SamplingOf(100));
        // Left out are only those who do not answer: no cheaper than if they had.
        Assert.Equal(new PoissonSampling(0.5), From("chorus.clients { cohort = poisson, cohort-probability = 0.5, availability { presence = diurnal, dropout = 0.5 } }").SamplingOf(100));
        Assert.Equal(Sampling.Full, From("chorus.clients.availability { presence = diurnal, dropout = 0.5 }").SamplingOf(100));
    }

    [Theory]
    [InlineData("clients { cohort = all, availability { presence = always, over-selection = 2 } }", "1 unless clients.cohort is fixed")]
    [InlineData("clients { cohort = poisson, cohort-probability = 0.5, availability { presence = always, over-selection = 2 } }", "1 unless clients.cohort is fixed")]
    [InlineData("method = dp-ftrl, clients { cohort = fixed, cohort-size = 5, availability { presence = always, over-selection = 2 } }", "1 under method dp-ftrl, whose clients take turns")]
    [InlineData("clients { cohort = fixed, cohort-size = 5, availability { over-selection = 2 } }", "1 unless clients.availability.presence says how clients answer")]
    public void Given_over_selection_that_cannot_be_charged_or_has_nobody_to_drop_out_When_read_Then_refused(string settings, string says) =>
        Assert.Contains(says, Assert.Throws<SettingsException>(() => From($"chorus {{ {settings} }}")).Message, StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(ShippedRuns))]
    public void Given_a_run_file_that_ships_When_read_and_written_as_run_conf_Then_it_reads_back_the_same(string name)
    {
        var settings = RunSettings.From(HoconFiles.Run(name));
        var again = RunSettings.From(("run.conf", ConfigurationFactory.ParseString(settings.Hocon)));
        Assert.Equal(settings, again);
    }

    [Fact]
    public void Given_a_folder_whose_name_needs_quotes_When_written_as_run_conf_Then_it_reads_back_the_same()
    {
        var settings = From("chorus.data.directory = \"/tmp/a b#c/$HOME/{x}=\\\"y\\\"\"");
        Assert.Equal("/tmp/a b#c/$HOME/{x}=\"y\"", settings.Data.Directory);
        Assert.Equal(settings, RunSettings.From(("run.conf", ConfigurationFactory.ParseString(settings.Hocon))));
    }

    [Fact]
    public void Given_no_delta_When_there_are_more_clients_Then_it_is_below_one_in_their_number()
    {
        var privacy = RunSettings.From().Privacy;
        Assert.Equal(1e-5, privacy.DeltaFor(100));
        Assert.Equal(Math.Exp(-1.1 * Math.Log(1_000_000)), privacy.DeltaFor(1_000_000), 1e-15);
    }

    [Fact]
    public void Given_a_run_that_is_not_there_When_looked_for_Then_the_message_lists_those_that_ship()
    {
        var e = Assert.Throws<SettingsException>(() => HoconFiles.Run("quickstrat"));
        Assert.Contains("quickstart", e.Message, StringComparison.Ordinal);
    }

    private static RunSettings From(string hocon) => RunSettings.From(("test", ConfigurationFactory.ParseString(hocon)));
}
