using System.Numerics;

namespace Chorus.Simulation.Privacy;

/// <summary>
/// Integers y with probability proportional to exp(-y^2 / (2 sigma^2)), drawn exactly: no floating-point number decides
/// anything, so no draw betrays what it was added to (Mironov 2012).
/// </summary>
/// <remarks>
/// Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy, arXiv:2004.00030v5, Algorithms 1 to 3.
/// sigma is a double, which is exactly an integer over a power of two, n / 2^k; every probability below is then a ratio
/// of integers. A proposal's acceptance exp(-gamma) has a gamma with a denominator of some 200 bits, so one BigInteger
/// division a proposal gives its first 64 binary digits, and a random word decides against those; a tie, once in 2^64,
/// goes on with the remainder. The rest is 64-bit integers. About 1.5 proposals a draw. Not thread-safe.
/// </remarks>
public sealed class DiscreteGaussian
{
    /// <summary>The largest standard deviation: a draw beyond 64 bits then has a probability below e^-1000.</summary>
    public const double LargestStdDev = 1L << 52;

    private readonly RandomBits _bits;
    private readonly ulong _t;              // scale of the proposals: floor(sigma) + 1
    private readonly BigInteger _tScaled;   // t 2^2k
    private readonly BigInteger _square;    // n^2 = sigma^2 2^2k
    private readonly BigInteger _denominator;   // 2^(2k+1) n^2 t^2

    /// <param name="noiseStdDev">sigma in grid units, in [2^-20, 2^52].</param>
    /// <param name="random">Where the randomness comes from; private noise takes a <see cref="CryptographicRandomSource"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">sigma is out of range.</exception>
    public DiscreteGaussian(double noiseStdDev, IRandomSource random)
    {
        if (!(noiseStdDev >= 1.0 / (1 << 20) && noiseStdDev <= LargestStdDev))
            throw new ArgumentOutOfRangeException(nameof(noiseStdDev), $"noise standard deviation must be in [2^-20, 2^52] grid units, got {noiseStdDev:R}");
        ArgumentNullException.ThrowIfNull(random);
        NoiseStdDev = noiseStdDev;
        _bits = new RandomBits(random);
        _t = (ulong)noiseStdDev + 1;
        (ulong n, int k) = AsFraction(noiseStdDev);
        _square = BigInteger.Pow(n, 2);
        _tScaled = new BigInteger(_t) << (2 * k);
        _denominator = (_square * BigInteger.Pow(_t, 2)) << ((2 * k) + 1);
    }

    /// <summary>sigma in grid units. The variance of a draw is at most its square (Corollary 9), and all but equal from sigma 1 on.</summary>
    public double NoiseStdDev { get; }

    /// <summary>One draw, in grid units.</summary>
    public long Draw()
    {
        while (true)
        {
            long y = DrawLaplace();
            // gamma = (|y| - sigma^2 / t)^2 / (2 sigma^2) = (|y| t 2^2k - n^2)^2 / (2^(2k+1) n^2 t^2)
            BigInteger distance = (Math.Abs(y) * _tScaled) - _square;
            if (AcceptExp(distance * distance))
                return y;
        }
    }

    /// <summary>Adds one independent draw to each element. Nothing is added when a sum would pass 64 bits.</summary>
    /// <param name="sum">Grid units; += here.</param>
    /// <exception cref="OverflowException">A sum would pass 64 bits.</exception>
    public void AddTo(Span<long> sum)
    {
        var noised = new long[sum.Length];
        for (int i = 0; i < sum.Length; i++)
            noised[i] = checked(sum[i] + Draw());
        noised.CopyTo(sum);
    }

    // Algorithm 2 with s = 1: probability proportional to exp(-|y| / t).
    private long DrawLaplace()
    {
        while (true)
        {
            ulong u = _bits.Below(_t);
            if (!AcceptExp(u))
                continue;
            ulong v = 0;
            while (AcceptExpOne())
                v++;
            ulong magnitude = checked(u + (_t * v));
            bool negative = (_bits.NextUInt64() & 1) != 0;
            if (negative && magnitude == 0)
                continue;   // else zero would come up twice as often
            return negative ? -checked((long)magnitude) : checked((long)magnitude);
        }
    }

    // Algorithm 1 for gamma = u / t < 1: count trials of probability gamma / k, k = 1, 2, ..., until one fails; exp(-gamma)
    // is the probability that it fails at an odd k. A trial of gamma / k is one of gamma and one of 1 / k.
    private bool AcceptExp(ulong u)
    {
        ulong k = 1;
        while (_bits.Below(_t) < u && _bits.Below(k) == 0)
            k++;
        return (k & 1) != 0;
    }

    private bool AcceptExpOne()
    {
        ulong k = 1;
        while (_bits.Below(k) == 0)
            k++;
        return (k & 1) != 0;
    }

    // Algorithm 1 for gamma = numerator / denominator of any size: its whole part as that many trials of exp(-1).
    private bool AcceptExp(BigInteger numerator)
    {
        BigInteger whole = BigInteger.DivRem(numerator << 64, _denominator, out BigInteger remainder);
        BigInteger units = whole >> 64;
        for (BigInteger i = BigInteger.Zero; i < units; i++)
        {
            if (!AcceptExpOne())
                return false;
        }

        var digits = (ulong)(whole & ulong.MaxValue);
        ulong k = 1;
        while (IsBelow(digits, remainder) && _bits.Below(k) == 0)
            k++;
        return (k & 1) != 0;
    }

    // True with probability exactly (digits + remainder / denominator) / 2^64.
    private bool IsBelow(ulong digits, BigInteger remainder)
    {
        while (true)
        {
            ulong word = _bits.NextUInt64();
            if (word != digits)
                return word < digits;
            digits = (ulong)BigInteger.DivRem(remainder << 64, _denominator, out remainder);
        }
    }

    // value = n / 2^k exactly, k >= 0 as small as it goes.
    private static (ulong N, int K) AsFraction(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)(bits >> 52 & 0x7FF) - 1075;
        ulong n = (ulong)(bits & 0xFFFFFFFFFFFFF) | (1UL << 52);
        int zeros = Math.Min(BitOperations.TrailingZeroCount(n), Math.Max(0, -exponent));
        n >>= zeros;
        exponent += zeros;
        return exponent >= 0 ? (n << exponent, 0) : (n, -exponent);
    }
}
