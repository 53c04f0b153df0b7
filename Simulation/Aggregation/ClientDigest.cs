namespace Chorus.Simulation.Aggregation;

/// <summary>
/// A few bytes that tell a set of clients: how many, and the sum of their hashes. Digests of disjoint sets add up, in any order.
/// </summary>
/// <remarks>
/// Two sets that differ by a mistake (a client left out, counted twice, another one in its place) have one digest with
/// probability 2^-64. It does not stop somebody who forges sets.
/// </remarks>
/// <param name="Count">How many clients.</param>
/// <param name="Hash">Sum modulo 2^64 of a hash of each client's index.</param>
public readonly record struct ClientDigest(int Count, ulong Hash)
{
    /// <summary>The digest of these clients; one given twice counts twice.</summary>
    public static ClientDigest Of(IEnumerable<int> clients)
    {
        ArgumentNullException.ThrowIfNull(clients);
        return clients.Aggregate(default(ClientDigest), (sum, client) => sum + Of(client));
    }

    /// <summary>The digest of one client.</summary>
    public static ClientDigest Of(int client) => new(1, Embedding.TextFeatures.Mix((ulong)client + 0x9E3779B97F4A7C15));

    public static ClientDigest operator +(ClientDigest a, ClientDigest b) => new(a.Count + b.Count, unchecked(a.Hash + b.Hash));
}
