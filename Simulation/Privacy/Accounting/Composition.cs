using System.Numerics;
using System.Runtime.CompilerServices;
using MathNet.Numerics.IntegralTransforms;

namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>
/// The sum of independent privacy losses by the fast Fourier transform, and the epsilon that it costs, as an upper and
/// a lower bound.
/// </summary>
/// <remarks>
/// Losses are tilted first: mass is multiplied by e^(t loss) and normalised, with t such that the sum's mean comes to lie
/// at about the epsilon sought (an Esscher transform). That keeps the rounding errors of the transform small beside
/// delta itself, however small delta is, and the window short. What the circular transform folds in from outside of the
/// window is bounded by Chernoff's inequality and charged to the bound's side.
/// </remarks>
internal static class Composition
{
    // Of delta: what rounding may add to an upper bound under a tilt.
    private const double LargestError = 1e-4;

    /// <param name="parts">The releases, as one of the neighbours sees them.</param>
    /// <param name="grids">For each part its losses, at least and at most.</param>
    /// <param name="h">Grid width of all.</param>
    /// <param name="window">Points of the transform, a power of two.</param>
    public static EpsilonBounds Epsilon(
        IReadOnlyList<LossPart> parts, IReadOnlyList<(LossGrid Upper, LossGrid Lower)> grids, TiltedWindow tilt, double h, int window, double delta)
    {
        var upper = new Spectrum(window);
        var lower = new Spectrum(window);
        var buffer = new Complex[window];
        for (int i = 0; i < parts.Count; i++)
        {
            // Two real sequences share one complex transform.
            Array.Clear(buffer);
            double logUpper = Wrap(grids[i].Upper, h, tilt.T, buffer, Complex.One);
            double logLower = Wrap(grids[i].Lower, h, tilt.T, buffer, Complex.ImaginaryOne);
            Fourier.Forward(buffer, FourierOptions.AsymmetricScaling);
            Spectrum.Accumulate(buffer, parts[i].Count, upper, lower);
            upper.Add(grids[i].Upper, parts[i].Count, logUpper);
            lower.Add(grids[i].Lower, parts[i].Count, logLower);
        }

        Spectrum.Join(upper, lower, buffer);
        Fourier.Inverse(buffer, FourierOptions.AsymmetricScaling);

        int count = parts.Sum(p => p.Count);
        double rounding = (64 + count) * 8 * Math.ScaleB(1, -52);
        LossGrid[] uppers = [.. grids.Select(g => g.Upper)], lowers = [.. grids.Select(g => g.Lower)];
        double above = Outside(parts, uppers, tilt.TAbove, h, upper.Base(tilt, h) + window - 1);
        double outside = Outside(parts, lowers, tilt.TAbove, h, lower.Base(tilt, h) + window - 1, tilt.T)
            + Outside(parts, lowers, tilt.TBelow, h, lower.Base(tilt, h), tilt.T);
        return new EpsilonBounds(
            Solve(buffer, real: false, lower, tilt, h, delta, extra: 0, relative: -(rounding + outside), upper: false),
            Solve(buffer, real: true, upper, tilt, h, delta, extra: upper.Infinite + above, relative: rounding, upper: true));
    }

    /// <summary>Adds the tilted, normalised masses to the buffer, modulo its length.</summary>
    /// <returns>ln of the sum of mass e^(t i h): what it was normalised by.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Wrap(LossGrid grid, double h, double t, Complex[] buffer, Complex unit)
    {
        double log = (grid with { Offset = 0 }).LogMgf(t, h);
        for (int i = 0; i < grid.Mass.Length; i++)
        {
            if (grid.Mass[i] == 0)
                continue;
            int at = grid.First + i;
            int index = at % buffer.Length;
            double tilted = grid.Mass[i] * Math.Exp((t * at * h) - log);
            buffer[index < 0 ? index + buffer.Length : index] += tilted * unit;
        }

        return log;
    }

    /// <summary>Chernoff's bound on the mass beyond a grid point, above it or below it, under a tilt.</summary>
    /// <param name="t">The exponent that shows it: above the tilt for what lies above, below it for what lies below.</param>
    /// <param name="end">The last point that is not beyond.</param>
    private static double Outside(IReadOnlyList<LossPart> parts, LossGrid[] grids, double t, double h, long end, double tilt = 0)
    {
        long farthest = 0;
        double log = -(t - tilt) * end * h;
        for (int i = 0; i < parts.Count; i++)
        {
            LossGrid grid = grids[i] with { Offset = 0 };
            farthest += (long)parts[i].Count * (t > tilt ? grid.First + grid.Mass.Length - 1 : grid.First);
            log += parts[i].Count * (grid.LogMgf(t, h) - (tilt == 0 ? 0 : grid.LogMgf(tilt, h)));
        }

        return (t > tilt ? farthest <= end : farthest >= end) ? 0 : Math.Exp(log);
    }

    /// <summary>
    /// The epsilon at which E[max(0, 1 - e^(epsilon - loss))] plus the errors comes to delta: between grid points that is a
    /// line in e^epsilon.
    /// </summary>
    /// <returns>NaN where an upper bound lies below what a tilted window is good for.</returns>
    /// <param name="extra">Added to delta(epsilon), whatever the epsilon.</param>
    /// <param name="relative">Added too, times e^(K - t epsilon): errors of the tilted masses.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Solve(
        Complex[] masses, bool real, Spectrum spectrum, TiltedWindow tilt, double h, double delta, double extra, double relative, bool upper)
    {
        double t = tilt.T, reference = tilt.Epsilon;
        long bottom = spectrum.Base(tilt, h);
        // Everything is scaled by e^(t reference - K): delta itself is about 1 then.
        double scale = Math.Exp((t * (reference - spectrum.Offset)) - spectrum.LogMgf);
        double target = (delta - extra) * scale;
        if (target <= 0)
            return upper ? double.PositiveInfinity : 0;
        double sum = 0, discounted = 0;
        for (long i = bottom + masses.Length - 1; i >= bottom; i--)
        {
            double loss = (i * h) + spectrum.Offset;
            double error = relative * Math.Exp(t * (reference - loss));
            double here = sum - (Math.Exp(loss - reference) * discounted) + error;
            if (here >= target && sum > 0)
            {
                if (upper && t > 0 && error > LargestError * target)
                    return double.NaN; // the errors of a tilt grow below the epsilon that it was made for
                // Between this point and the one above; the error is the larger one, of this point.
                double epsilon = discounted > 0 && sum + error > target ? reference + Math.Log((sum + error - target) / discounted) : loss;
                return Math.Max(0, upper ? Math.Clamp(epsilon, loss, loss + h) : Math.Min(epsilon, loss + h));
            }

            if (loss <= 0)
                return 0;
            int index = (int)(i % masses.Length);
            Complex both = masses[index < 0 ? index + masses.Length : index];
            double mass = (real ? both.Real : both.Imaginary) * Math.Exp(t * (reference - loss));
            sum += mass;
            discounted += mass * Math.Exp(reference - loss);
        }

        return !upper ? 0 : tilt.T > 0 ? double.NaN : Math.Max(0, (bottom * h) + spectrum.Offset);
    }
}
