using CsCheck;

namespace Chorus.Simulation.Tests.Privacy.Accounting;

/// <summary>Attacks the claim that the worst neighbours lie on a line: no others tell more apart.</summary>
public class WorstCaseTests
{
    private const double Step = 0.05;
    private const double Reach = 8;

    // The sums' own error, where the integrand has an edge.
    private const double Slack = 1e-4;

    // In the plane: a cohort without the record sums to 0, with it to u or v, anywhere in the unit disc.
    [Fact]
    public void Given_neighbours_anywhere_in_the_disc_When_Poisson_sampled_Then_opposite_ones_are_worst()
    {
        Gen.Select(Point, Point, Gen.Double[0.05, 0.95], Gen.Double[0.6, 2], Gen.Double[-1.5, 3]).Sample(
            (u, v, q, noise, epsilon) =>
            {
                double replaced = HockeyStick(epsilon, [(1 - q, (0, 0)), (q, u)], [(1 - q, (0, 0)), (q, v)], noise);
                double removed = HockeyStick(epsilon, [(1 - q, (0, 0)), (q, u)], [(1, (0, 0))], noise);
                double added = HockeyStick(epsilon, [(1, (0, 0))], [(1 - q, (0, 0)), (q, u)], noise);
                return replaced <= HockeyStick(epsilon, [(1 - q, (0, 0)), (q, (1, 0))], [(1 - q, (0, 0)), (q, (-1, 0))], noise) + Slack
                    && removed <= HockeyStick(epsilon, [(1 - q, (0, 0)), (q, (1, 0))], [(1, (0, 0))], noise) + Slack
                    && added <= HockeyStick(epsilon, [(1, (0, 0))], [(1 - q, (0, 0)), (q, (1, 0))], noise) + Slack;
            },
            iter: 60);
    }

    // Without replacement: who is not drawn is replaced by another, y, so all three points differ.
    [Fact]
    public void Given_neighbours_anywhere_in_the_disc_When_a_fixed_number_is_drawn_Then_none_is_worse_than_what_is_charged()
    {
        Gen.Select(Point, Point, Point, Gen.Double[0.05, 0.95], Gen.Double[0.6, 2], Gen.Double[-1.5, 3]).Sample(
            (u, v, y, q, noise, epsilon) =>
            {
                double replaced = HockeyStick(epsilon, [(1 - q, y), (q, u)], [(1 - q, y), (q, v)], noise);
                double removed = HockeyStick(epsilon, [(1 - q, y), (q, u)], [(1, y)], noise);
                double added = HockeyStick(epsilon, [(1, y)], [(1 - q, y), (q, u)], noise);
                double forward = HockeyStick(epsilon, [(1 - q, (-1, 0)), (q, (1, 0))], [(1, (-1, 0))], noise);
                double backward = HockeyStick(epsilon, [(1, (-1, 0))], [(1 - q, (-1, 0)), (q, (1, 0))], noise);
                return removed <= forward + Slack && added <= backward + Slack
                    && replaced <= (epsilon >= 0 ? forward : backward) + Slack;
            },
            iter: 60);
    }

    private static Gen<(double X, double Y)> Point =>
        Gen.Select(Gen.Double[0, 2 * Math.PI], Gen.OneOf(Gen.Const(1.0), Gen.Double[0, 1]), (angle, radius) => (radius * Math.Cos(angle), radius * Math.Sin(angle)));

    private static double HockeyStick(
        double epsilon, (double Weight, (double X, double Y) At)[] p, (double Weight, (double X, double Y) At)[] q, double noise)
    {
        double Density((double Weight, (double X, double Y) At)[] mixture, double x, double y)
        {
            double sum = 0;
            foreach (var (weight, (atX, atY)) in mixture)
                sum += weight * Math.Exp(-(((x - (atX / noise)) * (x - (atX / noise))) + ((y - (atY / noise)) * (y - (atY / noise)))) / 2);
            return sum / (2 * Math.PI);
        }

        double total = 0, factor = Math.Exp(epsilon);
        for (double x = -Reach; x < Reach; x += Step)
        {
            for (double y = -Reach; y < Reach; y += Step)
                total += Math.Max(0, Density(p, x, y) - (factor * Density(q, x, y)));
        }

        return total * Step * Step;
    }
}
