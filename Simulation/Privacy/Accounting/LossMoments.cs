using MathNet.Numerics.Integration;

namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>The moment-generating function of one release's privacy loss, E[e^(t loss)], by quadrature.</summary>
internal sealed class LossMoments
{
    /// <summary>The largest t times the loss's slope that two panels for each deviation resolve.</summary>
    public const double SteepestExponent = 60;

    private const int PointsPerPanel = 16;

    private static readonly GaussLegendreRule Rule = new(0, 1, PointsPerPanel);

    private readonly double[] _logMass;
    private readonly double[] _loss;

    /// <param name="from">Left end of what is integrated, in the pair's x.</param>
    /// <param name="to">Right end.</param>
    /// <param name="panelsPerUnit">Panels of 16 points for each standard deviation.</param>
    public LossMoments(DominatingPair pair, Reading reading, double from, double to, int panelsPerUnit)
    {
        double middle = reading == Reading.Symmetric ? pair.At(0) : from;
        int panels = (int)Math.Ceiling(panelsPerUnit * (to - middle));
        double width = (to - middle) / panels;
        int nodes = panels * PointsPerPanel;
        int readings = reading == Reading.Symmetric ? 2 : 1;
        (_logMass, _loss) = (new double[(readings * nodes) + readings - 1], new double[(readings * nodes) + readings - 1]);
        for (int i = 0; i < nodes; i++)
        {
            double x = middle + (width * ((i / PointsPerPanel) + Rule.Abscissas[i % PointsPerPanel]));
            double logWeight = Math.Log(width * Rule.Weights[i % PointsPerPanel]);
            double loss = pair.Loss(x);
            double logQ = pair.LogQ(x) + logWeight;
            (_logMass[i], _loss[i]) = reading == Reading.Reversed ? (logQ, -loss) : (logQ + loss, loss);
            if (reading == Reading.Symmetric)
                (_logMass[nodes + i], _loss[nodes + i]) = (logQ, -loss);
        }

        if (reading == Reading.Symmetric)
            _logMass[^1] = Math.Log(Math.Max(1 - pair.P(middle).Above - pair.Q(middle).Above, double.Epsilon));
    }

    /// <summary>ln E[e^(t loss)].</summary>
    public double LogMgf(double t)
    {
        double largest = double.NegativeInfinity;
        for (int i = 0; i < _loss.Length; i++)
            largest = Math.Max(largest, _logMass[i] + (t * _loss[i]));
        double sum = 0;
        for (int i = 0; i < _loss.Length; i++)
        {
            double exponent = _logMass[i] + (t * _loss[i]) - largest;
            if (exponent > -50)
                sum += Math.Exp(exponent);
        }

        return largest + Math.Log(sum);
    }

    /// <summary>Standard deviation of the loss.</summary>
    public double StdDev()
    {
        double total = 0, first = 0, second = 0;
        for (int i = 0; i < _loss.Length; i++)
        {
            double mass = Math.Exp(_logMass[i]);
            total += mass;
            first += mass * _loss[i];
        }

        double mean = first / total;
        for (int i = 0; i < _loss.Length; i++)
            second += Math.Exp(_logMass[i]) * (_loss[i] - mean) * (_loss[i] - mean);
        return Math.Sqrt(second / total);
    }
}
