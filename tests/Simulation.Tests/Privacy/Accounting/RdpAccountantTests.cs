using Chorus.Simulation.Privacy;
using Chorus.Simulation.Privacy.Accounting;

namespace Chorus.Simulation.Tests.Privacy.Accounting;

public class RdpAccountantTests
{
    // Integer orders have a closed form (Mironov, Talwar, Zhang 2019, eq. 30); epsilon at them can only be larger.
    [Theory]
    [InlineData(0.01, 1.1, 1000, 1e-5)]
    [InlineData(0.1, 2, 100, 1e-6)]
    [InlineData(0.5, 4, 20, 1e-5)]
    public void Given_Poisson_sampling_When_accounted_Then_it_is_just_below_the_closed_form_of_integer_orders(double q, double noise, int steps, double delta)
    {
        double Divergence(int order)
        {
            double sum = 0, binomial = 1;
            for (int k = 0; k <= order; k++)
            {
                sum += binomial * Math.Pow(1 - q, order - k) * Math.Pow(q, k) * Math.Exp(k * (k - 1) / (2 * noise * noise));
                binomial *= (order - k) / (k + 1.0);
            }

            return Math.Log(sum) / (order - 1);
        }

        double least = Enumerable.Range(2, 60).Min(a => (steps * Divergence(a)) + Math.Log((a - 1.0) / a) - ((Math.Log(delta) + Math.Log(a)) / (a - 1)));
        double epsilon = RdpAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, noise, new PoissonSampling(q), steps)], Adjacency.AddOrRemoveOne, delta).Epsilon;
        Assert.InRange(epsilon / least, 0.99, 1 + 1e-6);
    }

    [Theory]
    [InlineData(Adjacency.AddOrRemoveOne, 1)]
    [InlineData(Adjacency.ReplaceOne, 2)]
    public void Given_full_participation_When_accounted_Then_it_is_the_Gaussians_closed_form(Adjacency adjacency, double distance)
    {
        (double epsilon, double order) = RdpAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, 5, Sampling.Full, 10)], adjacency, 1e-6);
        double closed = (10 * order * distance * distance / (2 * 25)) + Math.Log((order - 1) / order) - ((Math.Log(1e-6) + Math.Log(order)) / (order - 1));
        Assert.Equal(closed, epsilon, 1e-9);
    }

    [Fact]
    public void Given_a_single_order_at_the_edge_of_usual_tables_When_accounted_Then_the_search_goes_past_it()
    {
        // Opacus' own orders end at 63 and give 0.0976 here.
        (double epsilon, double order) = RdpAccountant.Epsilon([new PrivacyEvent(Mechanism.Gaussian, 3.35, new PoissonSampling(0.001))], Adjacency.AddOrRemoveOne, 1.4e-5);
        Assert.True(epsilon < 0.04 && order > 63);
    }
}
