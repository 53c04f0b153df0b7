using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Chorus.Actors.Collection;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;
using Chorus.Simulation.Privacy;

namespace Chorus.Actors.Runs;

/// <summary>
/// A round's release: the noised sum of votes on the fixed-point grid, and what may be said about it. Only
/// <see cref="Make"/> ever adds noise, once, and only after the charge.
/// </summary>
/// <param name="Values">Noised sums in units of 2^-<paramref name="FractionBits"/>.</param>
/// <param name="PairsKeptRight">Share of preference pairs that the noise left right: not private, only under diagnostics.</param>
public sealed record Release(
    int Round, string CandidatesSha256, int FractionBits, double NoiseMultiplier, bool ReproducibleNoise, int ClientsSampled,
    int ClientsCounted, string ClientsSha256, VoteTally Tally, ImmutableArray<long> Values, double? PairsKeptRight)
{
    /// <summary>SHA-256 over the values as little-endian 64-bit integers: equal releases have equal hashes.</summary>
    public string Sha256()
    {
        var bytes = new byte[Values.Length * sizeof(long)];
        for (var i = 0; i < Values.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(i * sizeof(long)), Values[i]);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    /// <summary>The scores that rank candidates: the mean vote over the public, expected number of clients.</summary>
    public double[] Scores(double expectedClients)
    {
        var scores = FixedPointGrid.ToDouble(Values.AsSpan());
        for (var i = 0; i < scores.Length; i++)
            scores[i] /= expectedClients;
        return scores;
    }

    /// <summary>Adds the mechanism's noise to a round's sum.</summary>
    /// <param name="leases">The round, all merged.</param>
    /// <param name="mechanism">Discrete Gaussian noise of standard deviation noiseMultiplier x 1, the sensitivity.</param>
    /// <param name="random">The noise's source: cryptographic, or seeded where the run declares itself repeatable.</param>
    public static Release Make(
        int round, string candidatesSha256, BlockLeases leases, int population, double noiseMultiplier, bool reproducibleNoise,
        IReleaseMechanism mechanism, IRandomSource random, Func<ReadOnlySpan<double>, ImmutableArray<PreferencePair>> rank, bool diagnostics)
    {
        var noised = (long[])leases.Sum.Clone();
        mechanism.AddNoise(noised, new ReleasedRound(noiseMultiplier, leases.Clients.Count), random);
        double? keptRight = diagnostics
            ? PreferencePairing.KeptRight(rank(FixedPointGrid.ToDouble(noised)), FixedPointGrid.ToDouble(leases.Sum))
            : null;
        var clients = ClientSet.Of(population, leases.Clients);
        return new Release(
            round, candidatesSha256, FixedPointGrid.FractionBits, noiseMultiplier, reproducibleNoise, leases.ClientsSampled,
            clients.Count, clients.Sha256, leases.Tally, [.. noised], keptRight);
    }

    /// <summary>
    /// The noise of a round: from the operating system's generator, or, where the run is a simulation to be repeated,
    /// from its seed, so that the same seed gives the same bytes on any number of nodes.
    /// </summary>
    public static IRandomSource NoiseSource(bool reproducible, ulong seed, int round) =>
        reproducible
            ? new SeededRandomSource(seed, string.Create(CultureInfo.InvariantCulture, $"noise/round-{round}"))
            : new CryptographicRandomSource();
}
