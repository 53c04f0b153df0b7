using Chorus.Simulation.Privacy.Audit;

namespace Chorus.Simulation.Tests.Privacy.Audit;

public sealed class OneRunBoundTests
{
    [Theory]
    [InlineData(1, 3, 3, 3, 1.0 / 8)]
    [InlineData(1, 9, 3, 2, 4.0 / 8)]
    [InlineData(3, 5, 1, 3, 1.0 / 8)]
    [InlineData(2, 5, 2, 3, 5.0 / 16)]
    public void Given_no_privacy_loss_allowed_When_tested_Then_guesses_are_fair_coins(int runs, int canaries, int guesses, int right, double expected) =>
        Assert.Equal(expected, OneRunBound.PValue(runs, canaries, guesses, right, epsilon: 0, delta: 0), 12);

    // Randomised response answers each coin rightly with probability e^eps / (1 + e^eps): the bound is met with equality.
    [Theory]
    [InlineData(1.0, 20)]
    [InlineData(4.0, 20)]
    [InlineData(8.0, 7)]
    public void Given_randomised_response_When_tested_at_its_epsilon_Then_the_p_value_is_its_exact_tail(double epsilon, int guesses)
    {
        var q = 1 / (1 + Math.Exp(-epsilon));
        for (var right = 0; right <= guesses; right++)
        {
            var tail = Tail(Binomial(guesses, q), right);
            Assert.Equal(tail, OneRunBound.PValue(1, guesses, guesses, right, epsilon, 0), 10);
            Assert.Equal(Tail(Binomial(3 * guesses, q), right), OneRunBound.PValue(3, 50, guesses, right, epsilon, 0), 10);
        }
    }

    // Each coin is published outright with probability delta, else answered by randomised response: (epsilon, delta)-private,
    // and the strongest auditor guesses the published ones first.
    [Theory]
    [InlineData(1, 12, 4, 1.0, 0.02)]
    [InlineData(1, 200, 3, 2.0, 0.004)]
    [InlineData(1, 1, 1, 0.5, 0.1)]
    [InlineData(5, 40, 2, 3.0, 0.003)]
    [InlineData(30, 200, 4, 4.0, 1e-4)]
    public void Given_a_mechanism_that_sometimes_gives_coins_away_When_tested_at_its_own_claim_Then_the_p_value_covers_its_exact_tail(
        int runs, int canaries, int guesses, double epsilon, double delta)
    {
        var exact = Power(Published(canaries, guesses, epsilon, delta), runs);
        for (var right = 0; right <= runs * guesses; right++)
            Assert.True(Tail(exact, right) <= OneRunBound.PValue(runs, canaries, guesses, right, epsilon, delta) + 1e-12, $"{right} right");
    }

    [Fact]
    public void Given_abstentions_When_only_the_guessed_canaries_are_counted_Then_the_bound_would_be_wrong()
    {
        var exact = Published(canaries: 200, guesses: 3, epsilon: 2, delta: 0.004);
        Assert.True(Tail(exact, 3) > OneRunBound.PValue(1, canaries: 3, guesses: 3, right: 3, epsilon: 2, delta: 0.004));
    }

    [Fact]
    public void Given_many_runs_When_delta_is_there_Then_they_show_more_than_the_same_guesses_in_one_run()
    {
        var apart = OneRunBound.Epsilon(runs: 400, canaries: 200, guesses: 4, right: 1480, delta: 1e-5, error: 0.005);
        var together = OneRunBound.Epsilon(runs: 1, canaries: 80_000, guesses: 1600, right: 1480, delta: 1e-5, error: 0.005);
        Assert.InRange(apart, together + 0.1, Math.Log(1480.0 / 120));
    }

    [Fact]
    public void Given_any_outcome_When_epsilon_grows_Then_the_p_value_does_too_and_the_lower_bound_is_where_it_passes_the_error()
    {
        foreach (var (runs, canaries, guesses, right) in new[] { (1, 1000, 100, 95), (50, 64, 2, 95), (1, 50, 10, 10) })
        {
            var values = Enumerable.Range(0, 60).Select(i => OneRunBound.PValue(runs, canaries, guesses, right, i * 0.1, 1e-5)).ToArray();
            Assert.Equal(values.Order(), values);
            var bound = OneRunBound.Epsilon(runs, canaries, guesses, right, 1e-5, 0.05);
            Assert.Equal(0.05, OneRunBound.PValue(runs, canaries, guesses, right, bound, 1e-5), 4);
        }
    }

    [Fact]
    public void Given_guesses_like_coin_flips_When_bounded_Then_nothing_is_shown() =>
        Assert.Equal(0, OneRunBound.Epsilon(10, 100, 10, 50, 1e-5, 0.05));

    [Fact]
    public void Given_randomised_response_many_times_When_bounded_Then_the_bound_passes_its_epsilon_in_at_most_the_error()
    {
        var random = new Random(7);
        var q = 1 / (1 + Math.Exp(-2.0));
        var above = Enumerable.Range(0, 400).Count(_ =>
            OneRunBound.Epsilon(1, 300, 300, Enumerable.Range(0, 300).Count(_ => random.NextDouble() < q), 0, 0.1) > 2);
        Assert.InRange(above, 10, 60); // 40 expected at most, six deviations to either side
    }

    [Theory]
    [InlineData(0, 5, 2, 1, 1, 0)]
    [InlineData(1, 0, 0, 0, 1, 0)]
    [InlineData(1, 5, 6, 1, 1, 0)]
    [InlineData(1, 5, 2, 3, 1, 0)]
    [InlineData(1, 5, 2, 1, -1, 0)]
    [InlineData(1, 5, 2, 1, double.NaN, 0)]
    [InlineData(1, 5, 2, 1, 1, 1)]
    public void Given_a_number_out_of_range_When_tested_Then_it_is_refused(int runs, int canaries, int guesses, int right, double epsilon, double delta) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => OneRunBound.PValue(runs, canaries, guesses, right, epsilon, delta));

    private static double[] Published(int canaries, int guesses, double epsilon, double delta)
    {
        var q = 1 / (1 + Math.Exp(-epsilon));
        var given = Binomial(canaries, delta);
        var right = new double[guesses + 1];
        for (var f = 0; f <= canaries; f++)
        {
            var sure = Math.Min(f, guesses);
            var rest = Binomial(guesses - sure, q);
            for (var k = 0; k < rest.Length; k++)
                right[sure + k] += given[f] * rest[k];
        }

        return right;
    }

    private static double[] Binomial(int n, double p) => Power([1 - p, p], n);

    private static double[] Power(double[] one, int times)
    {
        double[] sum = [1];
        for (var t = 0; t < times; t++)
        {
            var next = new double[sum.Length + one.Length - 1];
            for (var i = 0; i < sum.Length; i++)
            {
                for (var j = 0; j < one.Length; j++)
                    next[i + j] += sum[i] * one[j];
            }

            sum = next;
        }

        return sum;
    }

    private static double Tail(double[] probabilities, int from) => probabilities.Skip(from).Sum();
}
