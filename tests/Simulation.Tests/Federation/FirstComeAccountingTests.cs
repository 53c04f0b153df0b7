using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;
using CsCheck;

namespace Chorus.Simulation.Tests.Federation;

/// <summary>
/// Attacks what a first-come cohort is charged as: k of n are drawn, the first m of them to answer are summed. The exact
/// mixture over all draws, for votes and an order of arrival anywhere, is compared with the claim.
/// </summary>
public class FirstComeAccountingTests
{
    private const double Noise = 1.3;

    [Fact]
    public void Given_any_votes_and_order_of_arrival_When_the_first_are_summed_Then_no_neighbour_tells_more_than_is_charged()
    {
        Gen.Select(Gen.Int[3, 6], Gen.Int[1, 6], Gen.Int[1, 6], Gen.Double[-1, 1].Array[6], Gen.Int[0, 999], Gen.Double[-1, 3]).Sample((n, k, m, votes, order, epsilon) =>
        {
            (k, m) = (Math.Min(k, n - 1), Math.Min(m, Math.Min(k, n - 1)));
            int[] arrival = [.. Enumerable.Range(0, n).OrderBy(i => new Random(order + (i * 7919)).Next())];
            var with = Mixture(arrival, votes, k, m);
            var without = Mixture([.. arrival.Where(i => i != 0)], votes, k, m);   // client 0 is gone; k of n - 1 are drawn
            double claimed = Delta(epsilon, [(1 - ((double)k / n), -1), ((double)k / n, 1)], [(1, -1)]);
            double backward = Delta(epsilon, [(1, -1)], [(1 - ((double)k / n), -1), ((double)k / n, 1)]);
            Assert.True(Delta(epsilon, with, without) <= claimed + 1e-6);
            Assert.True(Delta(epsilon, without, with) <= backward + 1e-6);
        }, iter: 150);
    }

    // A client that is quick is always counted, and puts another out: here the charge is met exactly, and what Poisson sampling at the
    // cohort's share would be charged is far too little.
    [Fact]
    public void Given_a_quick_client_among_slow_ones_that_vote_against_it_When_charged_as_Poisson_Then_that_is_refuted()
    {
        const int n = 5, k = 3, m = 1;
        const double delta = 1e-3;
        int[] arrival = [0, 1, 2, 3, 4];
        double[] votes = [1, -1, -1, -1, -1];
        var with = Mixture(arrival, votes, k, m);
        var without = Mixture(arrival[1..], votes, k, m);
        double TrueDelta(double epsilon) => Math.Max(Delta(epsilon, with, without), Delta(epsilon, without, with));
        double Charged(Sampling sampling) => PrivacyAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, Noise, sampling)], Adjacency.AddOrRemoveOne, delta);

        double charged = Charged(new FixedSizeSampling(k, n));
        Assert.InRange(TrueDelta(charged), 0.98 * delta, delta * 1.001);
        Assert.True(TrueDelta(Charged(new PoissonSampling((double)m / n))) > 20 * delta);
        Assert.True(TrueDelta(Charged(new PoissonSampling((double)k / n))) > 5 * delta);   // nor at the rate of those asked
        Assert.True(TrueDelta(Charged(new FixedSizeSampling(m, n))) > 5 * delta);           // nor as if m had been drawn
    }

    /// <summary>Every set of k, equally likely, and the sum of its first m votes.</summary>
    private static (double Weight, double At)[] Mixture(int[] arrival, double[] votes, int k, int m)
    {
        double[] sums = [.. Enumerable.Range(0, 1 << arrival.Length).Where(set => System.Numerics.BitOperations.PopCount((uint)set) == k)
            .Select(set => arrival.Where((_, i) => (set >> i & 1) != 0).Take(m).Sum(c => votes[c]))];
        return [.. sums.Select(s => (1.0 / sums.Length, s))];
    }

    private static double Delta(double epsilon, (double Weight, double At)[] p, (double Weight, double At)[] q)
    {
        const double step = 0.01, reach = 20;
        static double Density((double Weight, double At)[] mixture, double x) =>
            mixture.Sum(c => c.Weight * Math.Exp(-(x - (c.At / Noise)) * (x - (c.At / Noise)) / 2)) / Math.Sqrt(2 * Math.PI);
        double sum = 0, factor = Math.Exp(epsilon);
        p = [.. p.GroupBy(c => c.At).Select(g => (g.Sum(c => c.Weight), g.Key))];
        q = [.. q.GroupBy(c => c.At).Select(g => (g.Sum(c => c.Weight), g.Key))];
        for (double x = -reach; x < reach; x += step)
            sum += Math.Max(0, Density(p, x) - (factor * Density(q, x)));
        return sum * step;
    }
}
