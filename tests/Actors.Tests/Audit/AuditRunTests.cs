using Akka.Configuration;
using Chorus.Actors.Audit;
using Chorus.Actors.Runs;
using Chorus.Actors.Settings;
using Chorus.Actors.Tests.Support;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Audit;

namespace Chorus.Actors.Tests.Audit;

/// <summary>The right mechanism and wrong ones, each a real run of real actors. The claim is that of the right one.</summary>
[Collection("whole runs")]
public sealed class AuditRunTests : IDisposable
{
    private const double Claim = 4;
    private const int ClientNodes = 2;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1ul)]
    [InlineData(2ul)]
    [InlineData(3ul)]
    public async Task Given_the_mechanism_that_runs_use_When_audited_Then_its_claim_stands_and_something_is_shown(ulong seed)
    {
        var findings = await FindingsAsync(Plan(rounds: 30, canaries: 96, seed));

        Assert.False(findings.Refute(Claim), $"{findings}");
        Assert.True(findings.EpsilonLower > 1, $"{findings}");
        Assert.True(findings.Gaussian.Epsilon > 3, $"{findings}");
    }

    // What popri-plus releases: as many numbers as votes have dimensions, the same claim.
    [Theory]
    [InlineData("direction")]
    [InlineData("shift")]
    public async Task Given_votes_in_their_subspace_When_audited_Then_the_same_claim_stands_and_something_is_shown(string votes)
    {
        var findings = await FindingsAsync(Subspace(votes));
        Assert.False(findings.Refute(Claim), $"{findings}");
        Assert.True(findings.Gaussian.Epsilon > 2, $"{findings}");
    }

    [Theory]
    [InlineData("direction")]
    [InlineData("shift")]
    public async Task Given_votes_in_their_subspace_that_are_not_clipped_When_audited_Then_the_claim_is_refuted(string votes) =>
        await RefutedAsync(Subspace(votes) with { Scorer = candidates => new LongScorer(new SubspaceScorer(candidates, shift: votes == "shift")), Gate = new OpenGate() });

    [Fact]
    public void Given_a_method_without_candidates_When_an_audit_is_planned_Then_the_message_says_which_can_be() =>
        Assert.Contains("chorus.method must be popri or popri-plus to be audited", Assert.Throws<SettingsException>(
            () => AuditPlan.For(("test", ConfigurationFactory.ParseString("chorus.method = dp-sgd")), Claim, null, 1e-5, 10, 32, 1)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Given_cryptographic_noise_on_three_nodes_When_audited_Then_the_claim_stands()
    {
        var findings = await FindingsAsync(Plan(rounds: 12, canaries: 96, seed: null) with { Nodes = 3 });
        Assert.False(findings.Refute(Claim), $"{findings}");
        Assert.True(findings.Gaussian.Epsilon > 2, $"{findings}");
    }

    [Fact]
    public async Task Given_votes_that_are_not_clipped_When_audited_Then_the_claim_is_refuted() =>
        await RefutedAsync(Plan() with { Scorer = candidates => new UnclippedScorer(new CandidateScorer(candidates)), Gate = new OpenGate() });

    [Fact]
    public async Task Given_a_client_that_counts_twice_When_audited_Then_the_claim_is_refuted() =>
        await RefutedAsync(Plan() with { Scorer = candidates => new TwiceScorer(new CandidateScorer(candidates)), Gate = new OpenGate() });

    // Clients that are not believed cannot do what the two above do: their blocks clip them.
    [Fact]
    public async Task Given_votes_that_are_not_clipped_and_blocks_that_look_When_audited_Then_the_claim_stands()
    {
        var findings = await FindingsAsync(Plan() with { Scorer = candidates => new UnclippedScorer(new CandidateScorer(candidates)) });
        Assert.False(findings.Refute(Claim), $"{findings}");
        Assert.True(findings.Gaussian.Epsilon > 2, $"{findings}");
    }

    [Fact]
    public async Task Given_noise_divided_by_the_number_of_nodes_When_audited_on_two_client_nodes_Then_the_claim_is_refuted() =>
        await RefutedAsync(Plan() with { Nodes = 1 + ClientNodes, Mechanism = new WrongNoise(round => round.NoiseMultiplier / ClientNodes) });

    [Fact]
    public async Task Given_noise_divided_by_the_batch_When_audited_Then_the_claim_is_refuted() =>
        await RefutedAsync(Plan() with { Mechanism = new WrongNoise(round => round.NoiseMultiplier / round.ClientsCounted) });

    [Fact]
    public async Task Given_a_standard_deviation_in_place_of_the_noise_multiplier_When_audited_Then_the_claim_is_refuted() =>
        await RefutedAsync(Plan() with { Mechanism = new WrongNoise(round => Math.ScaleB(round.NoiseMultiplier, -24)) }); // of grid units: the sensitivity left out

    [Fact]
    public async Task Given_a_seed_When_audited_twice_Then_the_scores_are_the_same_and_another_seed_has_others()
    {
        var plan = Plan(rounds: 3, canaries: 16);
        var (first, again, other) = (await ScoresAsync(plan), await ScoresAsync(plan), await ScoresAsync(plan with { Seed = 2 }));

        Assert.Equal(first.SelectMany(r => r), again.SelectMany(r => r));
        Assert.NotEqual(first.SelectMany(r => r), other.SelectMany(r => r));
    }

    [Fact]
    public async Task Given_a_mechanism_that_throws_When_audited_Then_the_audit_fails_and_says_why()
    {
        var plan = Plan(rounds: 2, canaries: 16) with { Mechanism = new WrongNoise(_ => throw new InvalidOperationException("out of noise")) };
        Assert.Contains("out of noise", (await Assert.ThrowsAsync<AuditFailedException>(() => ScoresAsync(plan))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.0, null, null, 10, 32, "--epsilon")]
    [InlineData(4.0, 1.0, null, 10, 32, "give one")]
    [InlineData(null, 1e-3, null, 10, 32, "--noise-multiplier")]
    [InlineData(null, null, 1.0, 10, 32, "--delta")]
    [InlineData(null, null, null, 0, 32, "--rounds")]
    [InlineData(null, null, null, 1000, 32, "--rounds")]
    [InlineData(null, null, null, 10, 15, "--canaries")]
    [InlineData(null, null, null, 10, 241, "--canaries")]
    public void Given_a_plan_that_cannot_be_When_made_Then_the_message_names_the_option(
        double? epsilon, double? noise, double? delta, int rounds, int canaries, string expected)
    {
        var e = Assert.Throws<SettingsException>(() => AuditPlan.For(HoconFiles.Run("quickstart"), epsilon, noise, delta, rounds, canaries, 1));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_no_noise_and_no_epsilon_When_planned_Then_noise_and_delta_are_those_of_the_run()
    {
        var plan = AuditPlan.For(HoconFiles.Run("quickstart"), null, null, null, 10, 32, 1);
        Assert.Equal(1e-5, plan.Delta);
        Assert.Equal(GaussianAccountant.NoiseMultiplier(4, 6, 1e-5), plan.NoiseMultiplier);
        Assert.Equal(GaussianAccountant.Epsilon(plan.NoiseMultiplier, 1, 1e-5), plan.Claim);
    }

    private static AuditPlan Plan(int rounds = 20, int canaries = 64, ulong? seed = 1) =>
        AuditPlan.For(HoconFiles.Run("quickstart"), Claim, null, 1e-5, rounds, canaries, seed);

    private static AuditPlan Subspace(string votes) => AuditPlan.For(
        ("test", ConfigurationFactory.ParseString($"chorus {{ method = popri-plus, popri.votes = {votes}, popri.rank-by = round, popri.best-of = 1, popri.public-texts = off }}")),
        Claim, null, 1e-5, rounds: 60, canaries: 32, seed: 1);

    private async Task RefutedAsync(AuditPlan plan)
    {
        var findings = await FindingsAsync(plan);
        Assert.True(findings.Refute(Claim), $"{findings}");
    }

    private async Task<AuditFindings> FindingsAsync(AuditPlan plan) =>
        AuditFindings.Of([.. (await ScoresAsync(plan)).Select(r => (IReadOnlyList<CanaryScore>)r)], plan.Delta, 0.95);

    private async Task<CanaryScore[][]> ScoresAsync(AuditPlan plan) =>
        [.. (await AuditRun.ScoresAsync(plan, Directory.CreateDirectory(_folder.In(Guid.NewGuid().ToString("n"))).FullName, "OFF", null, CancellationToken.None))
            .Select(r => r.ToArray())];

    /// <summary>What a vote is before it is scaled to norm 1: summed cosines, centred over the candidates.</summary>
    private sealed class UnclippedScorer(CandidateScorer inner) : WrongScorer(inner)
    {
        public override VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote)
        {
            var kind = base.Vote(textEmbeddings, vote);
            var texts = textEmbeddings.Length / Dimension; // all of them the same: the sum is so many times one
            for (var i = 0; i < vote.Length; i++)
                vote[i] *= texts * Math.Sqrt(1 - (1.0 / vote.Length));
            return kind;
        }
    }

    /// <summary>What a block that adds a client a second time would have of it.</summary>
    private sealed class TwiceScorer(CandidateScorer inner) : WrongScorer(inner)
    {
        public override VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote)
        {
            var kind = base.Vote(textEmbeddings, vote);
            for (var i = 0; i < vote.Length; i++)
                vote[i] *= 2;
            return kind;
        }
    }

    /// <summary>Votes three times as long as they may be: what a clipping length that is too small a divisor would make.</summary>
    private sealed class LongScorer(SubspaceScorer inner) : WrongScorer(inner)
    {
        public override VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote)
        {
            var kind = base.Vote(textEmbeddings, vote);
            for (var i = 0; i < vote.Length; i++)
                vote[i] *= 3;
            return kind;
        }
    }

    private abstract class WrongScorer(IVoteScorer inner) : IVoteScorer
    {
        public int Count => inner.Count;

        public int Dimension => inner.Dimension;

        public int VoteLength => inner.VoteLength;

        public virtual VoteKind Vote(ReadOnlySpan<float> textEmbeddings, Span<double> vote) => inner.Vote(textEmbeddings, vote);

        public double[] Scores(ReadOnlySpan<double> sum) => inner.Scores(sum);
    }

    /// <summary>A block that believes its clients.</summary>
    private sealed class OpenGate : VoteGate
    {
        public override bool Admit(Span<long> vote) => true;
    }

    /// <summary>The right noise with a wrong multiplier.</summary>
    private sealed class WrongNoise(Func<ReleasedRound, double> multiplier) : IReleaseMechanism
    {
        public void AddNoise(Span<long> sum, ReleasedRound round, IRandomSource random) =>
            DiscreteGaussianMechanism.Instance.AddNoise(sum, round with { NoiseMultiplier = multiplier(round) }, random);
    }
}
