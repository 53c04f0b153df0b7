namespace Chorus.Simulation;

/// <summary>A stream of random numbers that follows from its key alone: same key, same numbers, on every machine.</summary>
/// <remarks>
/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a counter through a mixing function; keys are mixed the same way. Only
/// integer arithmetic is used, so no platform's mathematical library can change a number. Not for noise nor for secrets: it is
/// no cipher.
/// </remarks>
internal struct KeyedRandom
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;
    private ulong _state;

    /// <param name="seed">The seed of the whole.</param>
    /// <param name="purpose">What the stream is for; distinct purposes give independent streams.</param>
    /// <param name="index">E.g. the client.</param>
    public KeyedRandom(ulong seed, ulong purpose, ulong index)
    {
        _state = Mix(seed + Gamma);
        _state = Mix(_state + Gamma ^ Mix(purpose));
        _state = Mix(_state + Gamma ^ Mix(index));
    }

    public ulong Next() => Mix(_state += Gamma);

    /// <summary>Uniform in [0, bound), bound at least 1.</summary>
    /// <remarks>The high half of a product (Lemire 2019) without rejection: off by less than bound / 2^64.</remarks>
    public int Below(int bound) => (int)Math.BigMul(Next(), (ulong)bound, out _);

    /// <summary>Uniform in [0, 1), a multiple of 2^-53.</summary>
    public double Uniform() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Index k with probability proportional to its weight.</summary>
    /// <param name="cumulative">Running totals of positive whole weights.</param>
    public int Pick(ReadOnlySpan<int> cumulative)
    {
        int at = Below(cumulative[^1]);
        int k = 0;
        while (cumulative[k] <= at) k++;
        return k;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
