namespace Chorus.Simulation.Embedding;

/// <summary>
/// The natural logarithm from additions, products and quotients alone, which IEEE 754 fixes to the bit; Math.Log is the
/// platform's and may differ in the last bit from one system to another.
/// </summary>
internal static class StableLog
{
    private const double Ln2 = 0.693147180559945309417232121458;

    /// <summary>ln x to within about 10^-15 relative, for normal x > 0.</summary>
    public static double Ln(double x)
    {
        int exponent = Math.ILogB(x);
        double mantissa = Math.ScaleB(x, -exponent);   // [1, 2), exact
        if (mantissa > 1.4142135623730951)
        {
            mantissa /= 2;
            exponent++;
        }

        // ln m = 2 artanh r = 2 (r + r^3/3 + r^5/5 + ...), |r| <= 0.1716: 23 powers reach 10^-18.
        double r = (mantissa - 1) / (mantissa + 1);
        double square = r * r;
        double series = 0;
        for (int power = 23; power >= 1; power -= 2)
            series = (series * square) + (1.0 / power);
        return (exponent * Ln2) + (2 * r * series);
    }
}
