using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Chorus.Simulation.Aggregation;

namespace Chorus.Simulation.FedAvg;

/// <summary>Clients that take turns: of every so many rounds in a row each takes part in exactly one.</summary>
/// <remarks>
/// Which one is a hash of the client's own name, so a client that joins or leaves changes nobody else's turn: the neighbour of a
/// data set differs in one client's rounds and in nothing else. Turns are public; no amplification is claimed for them.
/// </remarks>
public static class ClientTurns
{
    /// <summary>The turn of a client, in [0, turns).</summary>
    /// <param name="seed">Public: the run's.</param>
    public static int Of(string client, int turns, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(client);
        if (turns < 1)
            throw new ArgumentOutOfRangeException(nameof(turns), $"turns must be at least 1, got {turns}");
        Span<byte> seeded = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(seeded, seed);
        byte[] hash = SHA256.HashData([.. "chorus turns 1\0"u8, .. seeded, .. Encoding.UTF8.GetBytes(client)]);
        return (int)(BinaryPrimitives.ReadUInt64LittleEndian(hash) % (ulong)turns);
    }

    /// <summary>The clients whose turn a round is.</summary>
    /// <param name="nameOf">Client by index.</param>
    /// <param name="clients">Population.</param>
    /// <param name="turns">Rounds in a pass.</param>
    /// <param name="seed">As in <see cref="Of"/>.</param>
    /// <param name="round">From 1.</param>
    public static ClientSet InRound(Func<int, string> nameOf, int clients, int turns, ulong seed, int round)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        ArgumentOutOfRangeException.ThrowIfLessThan(round, 1);
        return ClientSet.Of([.. Enumerable.Range(0, clients).Select(c => Of(nameOf(c), turns, seed) == (round - 1) % turns)]);
    }
}
