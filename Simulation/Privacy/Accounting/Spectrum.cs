using System.Numerics;
using System.Runtime.CompilerServices;

namespace Chorus.Simulation.Privacy.Accounting;

/// <summary>The first half of the transform of a real sequence, multiplied together over parts, and what goes with it.</summary>
internal sealed class Spectrum
{
    private readonly Complex[] _values;

    public Spectrum(int window)
    {
        _values = new Complex[(window / 2) + 1];
        Array.Fill(_values, Complex.One);
    }

    /// <summary>What all losses' grid points lack of the losses.</summary>
    public double Offset { get; private set; }

    /// <summary>ln E[e^(t loss)], offsets left out.</summary>
    public double LogMgf { get; private set; }

    /// <summary>The probability that some loss is infinite, at most.</summary>
    public double Infinite { get; private set; }

    public void Add(LossGrid grid, int count, double logMgf)
    {
        Offset += count * grid.Offset;
        LogMgf += count * logMgf;
        Infinite += count * grid.Above;
    }

    /// <summary>The window's first grid point: what is left over lies on both sides.</summary>
    public long Base(TiltedWindow tilt, double h)
    {
        double spare = (2 * (_values.Length - 1)) - ((tilt.Top - tilt.Bottom) / h);
        return (long)Math.Floor(((tilt.Bottom - Offset) / h) - (spare / 2));
    }

    /// <summary>Multiplies both spectra by the count-th power of theirs in a joint transform.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate(Complex[] joint, int count, Spectrum first, Spectrum second)
    {
        int n = joint.Length;
        for (int k = 0; k <= n / 2; k++)
        {
            Complex here = joint[k], mirrored = Complex.Conjugate(joint[(n - k) % n]);
            first._values[k] *= Power((here + mirrored) / 2, count);
            Complex difference = here - mirrored;
            second._values[k] *= Power(new Complex(difference.Imaginary / 2, -difference.Real / 2), count);
        }
    }

    /// <summary>first + i second over the whole circle.</summary>
    public static void Join(Spectrum first, Spectrum second, Complex[] joint)
    {
        int n = joint.Length;
        for (int k = 0; k <= n / 2; k++)
        {
            Complex a = first._values[k], b = second._values[k];
            joint[k] = new Complex(a.Real - b.Imaginary, a.Imaginary + b.Real);
            if (k > 0 && k < n / 2)
                joint[n - k] = new Complex(a.Real + b.Imaginary, b.Real - a.Imaginary);
        }
    }

    private static Complex Power(Complex z, int count)
    {
        if (count == 1)
            return z;
        double magnitude = z.Magnitude;
        return magnitude == 0 ? Complex.Zero : Complex.FromPolarCoordinates(Math.Exp(count * Math.Log(magnitude)), count * z.Phase);
    }
}
