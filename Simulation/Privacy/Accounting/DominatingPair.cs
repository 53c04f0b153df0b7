namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>
/// Two densities on the line, P and Q, whose likelihood ratio grows with x: what the releases of two neighbouring data
/// sets come down to in the worst case. The privacy loss at x is ln(p(x) / q(x)). Unit variance throughout: distances are
/// in units of the noise's standard deviation.
/// </summary>
/// <remarks>
/// Why one dimension is enough, whatever the neighbours: a release is a mixture of spherical normals, one for each draw
/// of the cohort. Among all sets with a given mass under N(u, I), the half-space along u - v has the least mass under
/// N(v, I) (Neyman and Pearson), and one and the same half-space is extreme for several v on a line. docs/privacy.md has
/// the argument for each sampling scheme.
/// </remarks>
internal abstract class DominatingPair
{
    /// <summary>Both densities' components have their means within this distance of 0.</summary>
    public abstract double Reach { get; }

    /// <summary>ln(p / q) at x: increasing, strictly up to rounding.</summary>
    public abstract double Loss(double x);

    /// <summary>Where the loss has a value; minus or plus infinity where it lies below or above all of them.</summary>
    public abstract double At(double loss);

    /// <summary>ln q(x).</summary>
    public abstract double LogQ(double x);

    /// <summary>p(x) and q(x).</summary>
    public abstract (double P, double Q) Densities(double x);

    /// <summary>P's mass above x, and below it.</summary>
    public abstract (double Above, double Below) P(double x);

    /// <summary>Q's mass above x, and below it.</summary>
    public abstract (double Above, double Below) Q(double x);

    protected static double LogNormal(double x) => (-x * x / 2) - Stable.LogSqrtTwoPi;

    protected static (double Above, double Below) Mixture(double weight, double mean, double x) => (
        ((1 - weight) * Stable.NormalAbove(x)) + (weight * Stable.NormalAbove(x - mean)),
        ((1 - weight) * Stable.NormalAbove(-x)) + (weight * Stable.NormalAbove(mean - x)));

    /// <summary>ln of (1 - q) + q n(x; mu) / n(x; 0), without cancellation.</summary>
    protected static double LogRatio(double q, double mu, double x)
    {
        double a = (mu * x) - (mu * mu / 2);
        if (q == 1)
            return a;
        return a <= 0
            ? Stable.Log1p(q * Stable.Expm1(a))
            : a + Stable.Log1p((1 - q) * Stable.Expm1(-a));
    }
}

/// <summary>
/// P = (1 - q) N(0, 1) + q N(mu, 1) against Q = N(0, 1): a record that is drawn with probability q and moves the sum by
/// mu standard deviations when it is.
/// </summary>
internal sealed class SampledGaussianPair(double q, double mu) : DominatingPair
{
    public override double Reach => mu;

    public override double Loss(double x) => LogRatio(q, mu, x);

    public override double At(double loss)
    {
        // e^loss = 1 - q + q e^a, a = mu x - mu^2 / 2
        double a = q == 1 ? loss
            : loss > 30 ? loss - Math.Log(q) + Stable.Log1p(-(1 - q) * Math.Exp(-loss))
            : Stable.Log1p(Stable.Expm1(loss) / q);
        return (a / mu) + (mu / 2);
    }

    public override double LogQ(double x) => LogNormal(x);

    public override (double P, double Q) Densities(double x)
    {
        double density = Math.Exp(LogNormal(x));
        return (((1 - q) * density) + (q * Math.Exp(LogNormal(x - mu))), density);
    }

    public override (double Above, double Below) P(double x) => Mixture(q, mu, x);

    public override (double Above, double Below) Q(double x) => Mixture(0, 0, x);
}

/// <summary>
/// P = (1 - q) N(0, 1) + q N(mu, 1) against Q = (1 - q) N(0, 1) + q N(-mu, 1): a record replaced by its opposite, drawn
/// with probability q. The loss is odd.
/// </summary>
internal sealed class ReplacedGaussianPair(double q, double mu) : DominatingPair
{
    public override double Reach => mu;

    public override double Loss(double x) => LogRatio(q, mu, x) - LogRatio(q, mu, -x);

    public override double At(double loss)
    {
        // With t = e^(mu x) and c = q e^(-mu^2 / 2): (1 - q + c t) = e^loss (1 - q + c / t), a quadratic in t, whose
        // positive root is e^(loss / 2 + asinh(s)), s = (1 - q) sinh(loss / 2) / c.
        double half = Math.Abs(loss) / 2;
        double logSinh = half > 20 ? half - Math.Log(2) : Math.Log(Math.Sinh(half));
        double logS = Math.Log(1 - q) + logSinh - Math.Log(q) + (mu * mu / 2);
        double asinh = logS > 20 ? Math.Log(2) + logS : Math.Asinh(Math.Exp(logS));
        return Math.Sign(loss) * (half + asinh) / mu;
    }

    public override double LogQ(double x) => LogNormal(x) + LogRatio(q, mu, -x);

    public override (double P, double Q) Densities(double x)
    {
        double shared = (1 - q) * Math.Exp(LogNormal(x));
        return (shared + (q * Math.Exp(LogNormal(x - mu))), shared + (q * Math.Exp(LogNormal(x + mu))));
    }

    public override (double Above, double Below) P(double x) => Mixture(q, mu, x);

    public override (double Above, double Below) Q(double x) => Mixture(q, -mu, x);
}
