using MathNet.Numerics;

namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>Functions that keep their digits where the plain formula cancels or overflows.</summary>
internal static class Stable
{
    public static readonly double LogSqrtTwoPi = Math.Log(2 * Math.PI) / 2;

    /// <summary>e^x - 1, accurate near 0.</summary>
    public static double Expm1(double x)
    {
        if (Math.Abs(x) > 1)
            return Math.Exp(x) - 1;
        double half = Math.Tanh(x / 2);
        return 2 * half / (1 - half);
    }

    /// <summary>ln(1 + x), accurate near 0; minus infinity at -1 and below.</summary>
    public static double Log1p(double x)
    {
        if (x <= -1)
            return double.NegativeInfinity;
        return Math.Abs(x) > 0.5 ? Math.Log(1 + x) : 2 * Math.Atanh(x / (2 + x));
    }

    /// <summary>The standard normal's mass above x.</summary>
    public static double NormalAbove(double x) => SpecialFunctions.Erfc(x / Math.Sqrt(2)) / 2;
}
