using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Clients;

/// <summary>
/// What a block and its client actors say to each other. They share a process by construction (a client is its block's
/// child), so these messages have no serializer: a vote or work that tried to leave the node would be an error.
/// </summary>
public static class ClientProtocol
{
    /// <summary>A message that must never be serialized.</summary>
    public interface ILocal;

    /// <summary>Asks a client for its vote: what the round's work makes of its texts.</summary>
    internal sealed record CastVote(string Run, int Round, long Lease, IClientWork Work) : ILocal;

    /// <summary>
    /// A client's vote on the fixed-point grid. <paramref name="Grid"/> is rented from the shared array pool; the block
    /// adds its first <paramref name="Length"/> entries and returns it.
    /// </summary>
    internal sealed record Vote(int Client, int Round, long Lease, VoteKind Kind, long[] Grid, int Length) : ILocal;

    /// <summary>A client could not vote at all. The reason never quotes a text.</summary>
    internal sealed record VoteFailed(int Client, int Round, long Lease, string Reason) : ILocal;
}
