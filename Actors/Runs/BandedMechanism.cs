using Chorus.Simulation.Aggregation;
using Chorus.Simulation.FedAvg;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Runs;

/// <summary>
/// Noise that is correlated over rounds: a round's release is made of its own sum and of those of the rounds before it. Sums without
/// noise never reach a disk; after a restart they are what is left of the earlier releases once their noise, which can be drawn
/// again from the run's secret, is taken off.
/// </summary>
/// <param name="noise">Which noise.</param>
/// <param name="released">What was released in an earlier round, as it was.</param>
/// <param name="source">The source of an earlier round's noise, from its beginning.</param>
internal sealed class BandedMechanism(BandedNoise noise, Func<int, long[]> released, Func<int, IRandomSource> source) : IReleaseMechanism
{
    private readonly Lock _lock = new();
    private readonly List<long[]> _sums = []; // by round, from 1

    public int FractionBits => FixedPointGrid.FractionBits + noise.ExtraBits;

    public void AddNoise(Span<long> sum, ReleasedRound round, IRandomSource random)
    {
        lock (_lock)
        {
            while (_sums.Count < round.Round - 1)
                _sums.Add(Recovered(_sums.Count + 1, round.NoiseMultiplier));
            _sums.RemoveRange(round.Round - 1, _sums.Count - (round.Round - 1));
            _sums.Add(sum.ToArray());
            var row = noise.Row([.. Latest(round.Round, noise.Bands)]);
            if (round.NoiseMultiplier > 0)
                noise.AddNoise(row, round.NoiseMultiplier, FixedPointGrid.FractionBits, random);
            row.CopyTo(sum);
        }
    }

    private long[] Recovered(int round, double noiseMultiplier)
    {
        var row = released(round);
        var drawn = new long[row.Length];
        if (noiseMultiplier > 0)
            noise.AddNoise(drawn, noiseMultiplier, FixedPointGrid.FractionBits, source(round));
        for (var i = 0; i < row.Length; i++)
            row[i] -= drawn[i];
        return noise.SumOf(row, [.. Latest(round - 1, noise.Bands - 1)]);
    }

    /// <summary>Sums of a round and of those before it, the latest first.</summary>
    private IEnumerable<long[]> Latest(int round, int count) => Enumerable.Range(0, Math.Min(count, round)).Select(k => _sums[round - 1 - k]);
}
