using Chorus.Simulation.Privacy;

namespace Chorus.Simulation.Tests.Privacy;

/// <summary>The argument of docs/privacy.md that noise on the grid costs what continuous noise costs, on grids coarse enough to see it.</summary>
public class DiscreteGaussianCostTests
{
    [Theory]
    [InlineData(4, 1.0)]
    [InlineData(16, 1.0)]
    [InlineData(256, 1.0)]
    [InlineData(16, 3.0)]
    [InlineData(256, 0.7)]
    public void Given_a_grid_of_some_units_in_one_When_delta_is_summed_Then_it_is_within_eta_of_the_integral(int unitsPerOne, double sigma)
    {
        double s = sigma * unitsPerOne;
        double eta = unitsPerOne / (12 * Math.Sqrt(2 * Math.PI) * s * s * s);
        foreach (double epsilon in (double[])[0.05, 0.1, 0.3, 0.5, 0.77, 1, 1.5])
        {
            double difference = SummedDelta(unitsPerOne, s, epsilon) - GaussianAccountant.Delta(epsilon, sigma);
            Assert.True(Math.Abs(difference) <= (eta * (1 + (1 / (s * s)))) + 1e-10, $"epsilon {epsilon}: {difference:E2}, eta {eta:E2}");
        }
    }

    // sum over y of max(0, p(y) - e^epsilon p(y + vote)), p the discrete Gaussian of parameter s.
    private static double SummedDelta(int vote, double s, double epsilon)
    {
        int reach = (int)(40 * s);
        double normaliser = 0, sum = 0;
        for (int y = -reach; y <= reach; y++)
        {
            double p = Math.Exp(-(double)y * y / (2 * s * s));
            double moved = Math.Exp(-(double)(y + vote) * (y + vote) / (2 * s * s));
            normaliser += p;
            sum += Math.Max(0, p - (Math.Exp(epsilon) * moved));
        }

        return sum / normaliser;
    }
}
