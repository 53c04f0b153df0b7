using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Tests.Data;
using CsCheck;

namespace Chorus.Simulation.Tests.Federation;

public sealed class AvailabilityModelTests : IDisposable
{
    private const int Population = 20_000;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Given_one_seed_When_played_twice_Then_the_same_round_and_other_seeds_and_rounds_give_others()
    {
        var settings = new AvailabilitySettings { Dropout = 0.5 };
        (ClientSet Counted, Turnout Turnout) Play(ulong seed, int round) => new AvailabilityModel(settings, null, seed).Play(ClientSet.All(100), round, null);
        Assert.Equal(Play(7, 3).Turnout, Play(7, 3).Turnout);
        Assert.Equal(Play(7, 3).Counted, Play(7, 3).Counted);
        Assert.NotEqual(Play(7, 3).Counted, Play(7, 4).Counted);
        Assert.NotEqual(Play(7, 3).Counted, Play(8, 3).Counted);
    }

    [Fact]
    public void Given_any_round_When_played_Then_everybody_asked_is_in_exactly_one_count_and_only_they_are_counted() =>
        Gen.Select(AnySettings, Gen.Int[0, 99], Gen.Int[1, 30], Gen.Int[0, 60]).Sample((settings, seed, round, enough) =>
        {
            ClientSet asked = ClientSampler.Draw(new Poisson(0.5), 80, (ulong)seed, round);
            (ClientSet counted, Turnout t) = new AvailabilityModel(settings, null, (ulong)seed).Play(asked, round, enough == 0 ? null : enough);
            Assert.Equal(asked.Count, t.Asked);
            Assert.Equal(t.Asked, t.Unreachable + t.Dropped + t.Late + t.TurnedAway + t.Counted);
            Assert.Equal(counted.Count, t.Counted);
            Assert.All(Enumerable.Range(0, 80).Where(counted.Contains), c => Assert.True(asked.Contains(c)));
            Assert.True(enough == 0 ? t.TurnedAway == 0 : t.Counted <= enough);
            Assert.InRange(t.Seconds, 0, settings.Deadline.TotalSeconds);
        }, iter: 300);

    // What the accounting of a sum without first-come rests on: one client more is one vote more and nothing else.
    [Fact]
    public void Given_one_client_more_When_all_who_answer_are_counted_Then_nobody_else_comes_or_goes() =>
        Gen.Select(AnySettings, Gen.Int[0, 999], Gen.Int[1, 30], Gen.Int[0, 39]).Sample((settings, seed, round, x) =>
        {
            ClientSet without = ClientSet.Of(40, Enumerable.Range(0, 40).Where(c => c != x && c % 3 != seed % 3));
            ClientSet with = without.Union(ClientSet.Of(40, [x]));
            var model = new AvailabilityModel(settings, null, (ulong)seed);
            ClientSet a = model.Play(without, round, null).Counted, b = model.Play(with, round, null).Counted;
            Assert.All(Enumerable.Range(0, 40).Where(c => c != x), c => Assert.Equal(a.Contains(c), b.Contains(c)));
        }, iter: 500);

    // And what first-come costs: one in may be one out, so that the sum moves by up to 2, and never by more.
    [Fact]
    public void Given_one_client_in_anothers_place_When_the_first_to_answer_are_counted_Then_at_most_one_comes_and_one_goes_and_that_happens()
    {
        int displaced = 0;
        Gen.Select(AnySettings, Gen.Int[0, 999], Gen.Int[0, 39], Gen.Int[0, 39], Gen.Int[1, 12]).Sample((settings, seed, x, y, enough) =>
        {
            int[] others = [.. Enumerable.Range(0, 40).Where(c => c != x && c != y && c % 2 == seed % 2)];
            var model = new AvailabilityModel(settings, null, (ulong)seed);
            int[] Counted(params int[] more)
            {
                ClientSet counted = model.Play(ClientSet.Of(40, others.Concat(more)), 1, enough).Counted;
                return [.. Enumerable.Range(0, 40).Where(counted.Contains)];
            }

            int[] withX = Counted(x), withY = Counted(y), without = Counted();
            Assert.True(withX.Except(withY).Count() <= 1 && withY.Except(withX).Count() <= 1);
            Assert.True(withX.Except(without).Count() <= 1 && without.Except(withX).Count() <= 1);
            if (without.Except(withX).Any())
                Interlocked.Increment(ref displaced);
        }, iter: 500);
        Assert.True(displaced > 20, $"{displaced}");
    }

    [Fact]
    public void Given_dropout_and_slow_answers_When_many_are_asked_Then_the_shares_are_those_of_the_laws()
    {
        // Late: exp(0.8 z) > 3, z > ln 3 / 0.8 = 1.3733: 8.48%. Of 20,000 the standard deviation is below 0.4%.
        var settings = new AvailabilitySettings { Dropout = 0.3, AnswerTime = TimeSpan.FromSeconds(10), AnswerSpread = 0.8, Deadline = TimeSpan.FromSeconds(30) };
        Turnout t = new AvailabilityModel(settings, null, 1).Play(ClientSet.All(Population), 1, null).Turnout;
        Assert.Equal(0, t.Unreachable);
        Assert.InRange((double)t.Dropped / Population, 0.288, 0.312);
        Assert.InRange(t.Late / (0.7 * Population), 0.0788, 0.0908);
        Assert.Equal(30, t.Seconds);
    }

    [Fact]
    public void Given_stragglers_When_rounds_go_by_Then_the_same_clients_are_late_each_time()
    {
        var settings = new AvailabilitySettings { Stragglers = 0.2, StragglerSlowdown = 100, AnswerSpread = 0.1, Deadline = TimeSpan.FromMinutes(5) };
        var model = new AvailabilityModel(settings, null, 4);
        (ClientSet first, Turnout t) = model.Play(ClientSet.All(Population), 1, null);
        Assert.Equal(first, model.Play(ClientSet.All(Population), 2, null).Counted);
        Assert.InRange((double)t.Late / Population, 0.19, 0.21);
    }

    [Fact]
    public void Given_days_When_rounds_go_by_Then_clients_come_at_their_hours()
    {
        var settings = new AvailabilitySettings
        {
            Presence = PresenceKind.Diurnal,
            Hours = 6,
            FromHour = 22,
            SpreadHours = 2,
            AnswerTime = TimeSpan.FromSeconds(1),
            RoundEvery = TimeSpan.FromHours(1),
        };
        var model = new AvailabilityModel(settings, null, 5);
        double[] share = [.. Enumerable.Range(1, 48).Select(round => 1 - ((double)model.Play(ClientSet.All(Population), round, null).Turnout.Unreachable / Population))];
        // They begin evenly between 20 and 24 h and stay 6 h: all are there from 0 to 2 h, none from 6 to 20 h, half at 4 h and at 22 h.
        Assert.All([0, 1, 2], h => Assert.InRange(share[h], 0.999, 1));
        Assert.All(Enumerable.Range(6, 14), h => Assert.Equal(0, share[h]));
        Assert.All([4, 22], h => Assert.InRange(share[h], 0.48, 0.52));
        Assert.Equal(share[..24], share[24..]);
    }

    [Fact]
    public void Given_a_client_that_leaves_before_it_is_done_When_played_Then_it_dropped()
    {
        // All leave at 6 h; the round begins at 5 h.
        var settings = new AvailabilitySettings
        {
            Presence = PresenceKind.Diurnal,
            Hours = 6,
            FromHour = 0,
            SpreadHours = 0,
            AnswerSpread = 0,
            AnswerTime = TimeSpan.FromMinutes(61),
            Deadline = TimeSpan.FromHours(3),
            RoundEvery = TimeSpan.FromHours(5),
        };
        Turnout t = new AvailabilityModel(settings, null, 1).Play(ClientSet.All(10), 2, null).Turnout;
        Assert.Equal((10, 0), (t.Dropped, t.Counted));
        Turnout sooner = new AvailabilityModel(settings with { AnswerTime = TimeSpan.FromMinutes(59) }, null, 1).Play(ClientSet.All(10), 2, null).Turnout;
        Assert.Equal((0, 10, 59 * 60.0), (sooner.Dropped, sooner.Counted, sooner.Seconds));
    }

    [Fact]
    public void Given_a_trace_When_played_Then_clients_are_its_devices_in_equal_parts_and_keep_theirs()
    {
        PresenceTrace trace = PresenceTrace.Read(_folder.Write("t.csv", "device,from,to\nnight,0,3600\nday,36000,72000\nnever,80000,80001\nmore,0,3600\n"), TimeSpan.FromDays(1));
        var settings = new AvailabilitySettings { Presence = PresenceKind.Trace, AnswerTime = TimeSpan.FromSeconds(1), AnswerSpread = 0, RoundEvery = TimeSpan.FromDays(1) };
        var model = new AvailabilityModel(settings, trace, 2);
        (ClientSet first, Turnout t) = model.Play(ClientSet.All(Population), 1, null);
        Assert.InRange((double)t.Counted / Population, 0.49, 0.51);   // night and more
        Assert.Equal(first, model.Play(ClientSet.All(Population), 2, null).Counted);
        Assert.Throws<ArgumentException>(() => new AvailabilityModel(settings, null, 2));
    }

    [Fact]
    public void Given_enough_answers_When_the_first_are_taken_Then_they_are_the_quickest_and_the_round_closes_with_the_last_of_them()
    {
        var model = new AvailabilityModel(new AvailabilitySettings(), null, 3);
        double[] seconds = [.. Enumerable.Range(0, 50).Select(c => model.Answer(c, 1).Seconds!.Value)];
        (ClientSet counted, Turnout t) = model.Play(ClientSet.All(50), 1, 20);
        double last = seconds.Order().ElementAt(19);
        Assert.Equal(last, t.Seconds);
        Assert.All(Enumerable.Range(0, 50), c => Assert.Equal(seconds[c] <= last, counted.Contains(c)));
        Assert.Equal(30, t.TurnedAway);
    }

    private static Gen<AvailabilitySettings> AnySettings =>
        Gen.Select(Gen.Int[0, 1], Gen.Double[0.5, 24], Gen.Double[0, 0.9], Gen.Double[0, 2], Gen.Double[0, 1], Gen.Int[1, 600]).Select(
            (presence, hours, dropout, spread, stragglers, deadline) => new AvailabilitySettings
            {
                Presence = presence == 0 ? PresenceKind.Always : PresenceKind.Diurnal,
                Hours = hours,
                SpreadHours = 12,
                Dropout = dropout,
                AnswerSpread = spread,
                Stragglers = stragglers,
                Deadline = TimeSpan.FromSeconds(deadline),
            });
}
