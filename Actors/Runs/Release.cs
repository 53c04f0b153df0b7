using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Chorus.Actors.Collection;
using Chorus.Actors.Settings;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Runs;

/// <summary>
/// A round's release: the noised sum of what clients sent, and what may be said about it. Only <see cref="Make"/> ever adds
/// noise, once, and only after the charge.
/// </summary>
/// <param name="CandidatesSha256">Of the array that the round distributed.</param>
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

    /// <summary>What was released, in units of 1.</summary>
    /// <returns>A new array.</returns>
    public double[] Sums()
    {
        var sums = new double[Values.Length];
        for (var i = 0; i < sums.Length; i++)
            sums[i] = Math.ScaleB(Values[i], -FractionBits);
        return sums;
    }

    /// <summary>Makes the release of a round whose blocks are all merged.</summary>
    /// <param name="work">What clients did, where scores are of interest.</param>
    public static Release Make(RunContext context, int round, string arraySha256, BlockLeases leases, IClientWork work)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(leases);
        var (settings, mechanism) = (context.Settings, context.Mechanism);
        var released = (long[])leases.Sum.Clone();
        mechanism.AddNoise(released, new ReleasedRound(context.NoiseMultiplier, leases.Clients.Count, round), context.NoiseSource(round));
        var clients = ClientSet.Of(context.Clients, leases.Clients);
        var release = new Release(
            round, arraySha256, mechanism.FractionBits, context.NoiseMultiplier, settings.Privacy.ReproducibleNoise, leases.ClientsSampled,
            clients.Count, clients.Sha256, leases.Tally, [.. released], null);
        return settings.Diagnostics && settings.Method is (Method.Popri or Method.PopriPlus) && work is IVoteScorer scorer
            ? release with { PairsKeptRight = KeptRight(settings.Popri, scorer, release.Sums(), FixedPointGrid.ToDouble(leases.Sum)) }
            : release;
    }

    private static double KeptRight(PopriSettings popri, IVoteScorer scorer, double[] released, double[] exact) => PreferencePairing.KeptRight(
        PreferencePairing.Rank(scorer.Scores(released), popri.Prompts, popri.Samples, popri.RejectedRank), scorer.Scores(exact));
}
