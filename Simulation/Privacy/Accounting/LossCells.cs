using System.Runtime.CompilerServices;
using MathNet.Numerics.Integration;

namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>
/// The masses of P and Q between neighbouring values of the privacy loss: cell i holds the losses of
/// [(First + i) w, (First + i + 1) w], w being half the grid's width.
/// </summary>
internal sealed class LossCells
{
    // Panels narrow beside the density's own scale need few points: relative errors are 10^-14 and below.
    private const double NarrowestPanel = 0.003;
    private const double NarrowPanel = 0.02;
    private const double WidestPanel = 0.5;

    private static readonly double[][] Two = Rule(2);
    private static readonly double[][] Three = Rule(3);
    private static readonly double[][] Eight = Rule(8);

    private LossCells(int first, double[] p, double[] q)
    {
        First = first;
        (P, Q) = (p, q);
    }

    public int First { get; }

    public double[] P { get; }

    public double[] Q { get; }

    /// <summary>P's mass whose loss lies above all cells; P's and Q's below them.</summary>
    public double PAbove { get; private init; }

    public double PBelow { get; private init; }

    /// <summary>Mass that P and Q both have at loss 0, outside the cells.</summary>
    public double AtZero { get; private init; }

    /// <summary>The cells of a pair, as it is read.</summary>
    /// <param name="width">w.</param>
    /// <param name="from">Where the cells begin, in the pair's x.</param>
    /// <param name="to">Where they end.</param>
    public static LossCells Of(DominatingPair pair, Reading reading, double width, double from, double to)
    {
        double begin = reading == Reading.Symmetric ? pair.At(0) : from;
        int first = reading == Reading.Symmetric ? 0 : (int)Math.Floor(pair.Loss(begin) / width);
        int last = Math.Max(first, (int)Math.Ceiling(pair.Loss(to) / width) - 1);
        var (p, q) = (new double[last - first + 1], new double[last - first + 1]);
        Fill(pair, width, first, begin, to, p, q);
        switch (reading)
        {
            case Reading.Forward:
                return new LossCells(first, p, q) { PAbove = pair.P(to).Above, PBelow = pair.P(from).Below };
            case Reading.Reversed:
                Array.Reverse(p);
                Array.Reverse(q);
                return new LossCells(-last - 1, q, p) { PAbove = pair.Q(from).Below, PBelow = pair.Q(to).Above };
            default:
                double[] mirroredP = [.. q.Reverse(), .. p];
                double[] mirroredQ = [.. p.Reverse(), .. q];
                return new LossCells(-last - 1, mirroredP, mirroredQ)
                {
                    PAbove = pair.P(to).Above,
                    PBelow = pair.Q(to).Above,
                    AtZero = Math.Max(0, 1 - pair.P(begin).Above - pair.Q(begin).Above),
                };
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Fill(DominatingPair pair, double width, int first, double from, double to, double[] p, double[] q)
    {
        double left = from;
        for (int i = 0; i < p.Length; i++)
        {
            double right = i == p.Length - 1 ? to : Math.Clamp(pair.At((first + i + 1.0) * width), left, to);
            double scale = Math.Max(Math.Abs(left), Math.Abs(right)) + pair.Reach + 1;
            double span = (right - left) * scale;
            double[][] rule = span <= NarrowestPanel ? Two : span <= NarrowPanel ? Three : Eight;
            int panels = span <= NarrowPanel ? 1 : (int)Math.Ceiling(span / WidestPanel);
            double panel = (right - left) / panels;
            double massP = 0, massQ = 0;
            for (int k = 0; k < panels && panel > 0; k++)
            {
                for (int node = 0; node < rule[0].Length; node++)
                {
                    (double densityP, double densityQ) = pair.Densities(left + (panel * (k + rule[0][node])));
                    massP += rule[1][node] * densityP;
                    massQ += rule[1][node] * densityQ;
                }
            }

            (p[i], q[i]) = (panel * massP, panel * massQ);
            left = right;
        }
    }

    private static double[][] Rule(int points)
    {
        var rule = new GaussLegendreRule(0, 1, points);
        return [rule.Abscissas, rule.Weights];
    }
}
