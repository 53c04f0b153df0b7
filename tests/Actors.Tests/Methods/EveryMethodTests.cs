using System.Text.Json.Nodes;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.FedAvg;

namespace Chorus.Actors.Tests.Methods;

/// <summary>Whole runs of every method through the real actors, with stubs for the models.</summary>
[Collection("whole runs")]
public sealed class EveryMethodTests(ReferenceRun reference) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> AllMethods => [.. MethodNames.All];

    public static TheoryData<string> MethodsOfRounds => [.. Enum.GetValues<Method>().Where(m => m.HasRounds()).Select(m => m.NameOf())];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(AllMethods))]
    public async Task Given_any_method_When_run_Then_it_ends_with_its_figures_and_what_it_spent_is_what_it_is_charged(string method)
    {
        using var context = New($"chorus.method = {method}");
        await RunAsync(new TestRun(), context);

        var result = JsonNode.Parse(File.ReadAllText(context.Folder.Result))!;
        Assert.Equal(method, (string)result["method"]!);
        Assert.Equal(method == "public", result["accuracy"]!["method"] is null);
        Assert.NotNull(result["accuracy"]!["floor"]);
        Assert.Equal(context.Plan.Rounds, result["rounds"]!.AsArray().Count);
        var statement = (string)result["privacy"]!["statement"]!;
        Assert.All(PromiseOf(method), words => Assert.Contains(words, statement, StringComparison.Ordinal));
        Assert.Contains(System.Net.WebUtility.HtmlEncode(statement), File.ReadAllText(context.Folder.Report), StringComparison.Ordinal);
        // Where nothing is released there is nothing that noise was left out of.
        Assert.Equal(method is not ("public" or "untuned"), File.ReadAllText(context.Folder.Report).Contains("Not private", StringComparison.Ordinal));
        var epsilon = (string)result["privacy"]!["epsilon"]!.ToString();
        if (method == "private")
            Assert.Equal("Infinity", epsilon);
        else if (method is "public" or "untuned")
            Assert.Equal("0", epsilon);
        else
            Assert.InRange(double.Parse(epsilon, System.Globalization.CultureInfo.InvariantCulture), 7.9, 8);
        Assert.Equal(method switch { "public" or "private" or "untuned" => 0, "dp-sgd" => 3, "dp-ftrl" => 1, _ => 2 }, (int)result["privacy"]!["rounds"]!); // releases charged: steps, passes, rounds
        if (context.Charges.All.Length > 0)
            Assert.Equal(context.Charges.All.Length, (await Journal.SpendAsync(context)).Charges);
        else
            Assert.Empty(Journal.Manifests(context.Folder, "ledger"));
    }

    /// <summary>What a method's report must say of what it releases (docs/privacy.md).</summary>
    private static string[] PromiseOf(string method) => method switch
    {
        "popri" or "popri-plus" or "pe" or "pe-sft" => ["2 releases of summed client votes, each of L2 sensitivity 1 to adding or removing one client with all its texts", "discrete Gaussian noise", "composed exactly", "The policy, the synthetic texts and the scores"],
        "dp-fedavg" => ["2 releases of summed client updates, each clipped so that adding or removing one client with all its texts moves the sum by at most 1", "discrete Gaussian noise", "The trained model is a function"],
        "dp-ftrl" => ["noise is correlated over 2 rounds, in which each client takes part once at most", "turns that are public", "composed exactly"],
        "dp-sgd" => ["3 steps of DP-SGD, in each of which a client with all its texts is one example", "with Gaussian noise", "an upper bound that holds while nobody learns who was drawn"],
        "public" => ["Nothing of the private clients was released"],
        "untuned" => ["Nothing of the private clients was released: the policy knows public texts alone"],
        "private" => ["This run promises nothing: the model was trained on the private texts themselves"],
        _ => throw new ArgumentException($"no promise is known of {method}"),
    };

    [Theory]
    [MemberData(nameof(MethodsOfRounds))]
    public async Task Given_a_method_of_rounds_When_run_on_three_nodes_Then_it_releases_what_one_node_does(string method)
    {
        using var one = New($"chorus.method = {method}", "one");
        await RunAsync(new TestRun(), one);
        using var three = New($"chorus.method = {method}", "three");
        await RunAsync(new TestRun { Nodes = 3 }, three);

        Assert.Equal(Releases(one), Releases(three));
        Assert.Equal(ReferenceRun.FiguresOf(one.Folder), ReferenceRun.FiguresOf(three.Folder));
    }

    [Theory]
    [InlineData("popri")]
    [InlineData("dp-ftrl")]
    [InlineData("dp-sgd")]
    public async Task Given_an_infinite_budget_When_run_Then_releases_carry_no_noise_and_the_report_promises_nothing(string method)
    {
        using var context = New($"chorus.method = {method}, chorus.privacy.epsilon = inf");
        Assert.Equal(0, context.NoiseMultiplier);
        await RunAsync(new TestRun(), context);

        var result = JsonNode.Parse(File.ReadAllText(context.Folder.Result))!;
        Assert.Equal("Infinity", (string)result["privacy"]!["epsilon"]!);
        Assert.Contains("This run promises nothing", (string)result["privacy"]!["statement"]!, StringComparison.Ordinal);
        Assert.Contains("Not private: no noise was added", File.ReadAllText(context.Folder.Report), StringComparison.Ordinal);
    }

    // Noise is correlated over rounds, so the second release is made of the first round's sum too: lost with the process, it must come back.
    [Theory]
    [InlineData("on")]
    [InlineData("off")]
    public async Task Given_noise_over_rounds_When_the_coordinator_is_gone_after_the_first_Then_the_second_release_is_made_as_if_it_were_not(string reproducible)
    {
        var more = $"chorus.method = dp-ftrl, chorus.privacy.reproducible-noise = {reproducible}, chorus.rounds = 3";
        using (var context = New(more))
            Assert.Null(await new TestRun { StopAt = p => p is { Stage: "feedback", Round: 2 } }.RunAsync(context));
        var folder = new RunFolder(_folder.In("run"));
        var secret = folder.NoiseSecret();
        Assert.Equal(32, secret.Length);
        using var resumed = RunPreparation.Resume(folder.Path);
        await RunAsync(new TestRun(), resumed);
        Assert.NotEqual(secret, folder.NoiseSecret()); // the run is over, and its secret forgotten

        // Rows without their noise are whole votes of the clients whose turn it was: a wrong sum would not come out even.
        var noise = new BandedNoise(resumed.Settings.Federated.Bands);
        var sums = new List<long[]>();
        for (var round = 1; round <= 3; round++)
        {
            var row = RunFolder.ReadJson<Release>(folder.Release(round)).Values.ToArray();
            var drawn = new long[row.Length];
            var source = reproducible == "on"
                ? resumed.NoiseSource(round)
                : new Simulation.Privacy.SeededRandomSource(secret, $"noise/round-{round}");
            noise.AddNoise(drawn, resumed.NoiseMultiplier, 24, source);
            sums.Insert(0, noise.SumOf([.. row.Zip(drawn, (a, b) => a - b)], sums));
            Assert.Contains(sums[0], s => s != 0);
        }
    }

    [Theory]
    [InlineData("chorus.method = pop", "chorus.method must be one of popri, popri-plus")]
    [InlineData("chorus.method = dp-ftrl, chorus.clients { cohort = fixed, cohort-size = 5 }", "chorus.clients.cohort must be all under dp-ftrl")]
    [InlineData("chorus.method = dp-sgd, chorus.dp-sgd.batch = 24", "chorus.dp-sgd.batch must be at most the number of clients, 23, got 24")]
    [InlineData("chorus.popri.centre = prompt", "chorus.popri.centre must be auto or all where popri.release is candidates")]
    [InlineData("chorus.popri.votes = shift", "chorus.popri.votes must be auto or direction where popri.release is candidates")]
    [InlineData("chorus.popri.best-of = 2", "chorus.popri.best-of must be auto or 1 where popri.votes is direction")]
    [InlineData("chorus.popri { release = subspace, rank-by = all-rounds }", "chorus.popri.rank-by must be auto or round where popri.votes is direction")]
    [InlineData("chorus.popri.public-texts = on", "chorus.popri.public-texts must be off where popri.votes is direction")]
    [InlineData("chorus.privacy { epsilon = inf, noise-multiplier = 2 }", "chorus.privacy.noise-multiplier must be auto where privacy.epsilon is inf")]
    [InlineData("chorus.privacy { epsilon = inf, ledger = books }", "chorus.privacy.ledger must be empty where privacy.epsilon is inf")]
    [InlineData("chorus.federated.bands = 9", "chorus.federated.bands must be a whole number in [1, 8]")]
    public void Given_settings_of_a_method_that_do_not_go_together_When_prepared_Then_the_message_names_the_key(string more, string why) =>
        Assert.Contains(why, Assert.Throws<SettingsException>(() => New(more)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Given_public_texts_in_the_pool_When_the_product_is_drawn_Then_it_is_as_long_as_asked_for_and_holds_some_of_them()
    {
        using var context = New("chorus.method = popri-plus, chorus.popri { best-of = 3, public-texts = on }");
        await RunAsync(new TestRun(), context);
        var product = RunFolder.ReadJson<string[]>(context.Folder.Synthetic);
        Assert.Equal(12, product.Length);
        Assert.Contains(product, context.Corpus.Initial.Contains);
        Assert.Contains(product, t => !context.Corpus.Initial.Contains(t));
    }

    [Fact]
    public async Task Given_a_share_of_pairs_to_keep_When_tuned_Then_so_many_are_used()
    {
        using var context = New("chorus.method = popri, chorus.popri.keep-pairs = 0.5");
        await RunAsync(new TestRun(), context);
        Assert.Equal(2, (int)JsonNode.Parse(File.ReadAllText(context.Folder.Result))!["rounds"]![0]!["pairs"]!); // of 3
    }

    private static string[] Releases(RunContext context) =>
        [.. Enumerable.Range(1, context.Plan.Rounds).Select(round => RunFolder.ReadJson<Release>(context.Folder.Release(round)).Sha256())];

    private static async Task RunAsync(TestRun run, RunContext context)
    {
        var ended = await run.RunAsync(context);
        Assert.True(ended is { Outcome: RunOutcome.Done }, ended?.Message);
    }

    private RunContext New(string more, string name = "run") => RunPreparation.New(
        TestRun.Settings(reference.Data, $"chorus.dp-sgd.batch = 5, chorus.dp-sgd.steps = 3, chorus.federated.bands = 2, {more}"), _folder.In(name), null, CancellationToken.None);
}
