using Chorus.Simulation.Federation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Clients;

/// <summary>
/// What a block and its client actors say to each other. They share a process by construction (a client is its block's
/// child), so these messages have no serializer: a vote or work that tried to leave the node would be an error.
/// </summary>
/// <remarks>
/// A block believes none of what a client says: it takes one answer from each client that it asked, under the lease at work,
/// and adds no vote that is longer than 1 (<see cref="Simulation.Aggregation.VoteGate"/>).
/// </remarks>
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

    /// <summary>Asks a client for the sum of its texts, the first of the two steps of a vote that many clients make together.</summary>
    /// <param name="Row">The client's own part of the batch that it votes in.</param>
    internal sealed record SumTexts(int Round, long Lease, IBlockScorer Scorer, BatchRow Row) : ILocal;

    /// <summary>The client's sum is in its row.</summary>
    /// <param name="Kind">Counted, or why its vote is zero.</param>
    /// <param name="Texts">How many texts.</param>
    internal sealed record TextsSummed(int Client, int Round, long Lease, int Batch, int Row, VoteKind Kind, int Texts) : ILocal;

    /// <summary>The product of the batch is done: asks a client to make its vote of its row of it.</summary>
    internal sealed record FinishVote(int Round, long Lease, IBlockScorer Scorer, BatchRow Row, int Texts) : ILocal;

    /// <summary>The client's vote is in its row, on the fixed-point grid.</summary>
    internal sealed record VoteFinished(int Client, int Round, long Lease, int Batch, int Row, VoteKind Kind) : ILocal;

    /// <summary>A client could not vote at all. The reason never quotes a text.</summary>
    internal sealed record VoteFailed(int Client, int Round, long Lease, string Reason) : ILocal;
}

/// <summary>What a client sees of the batch that it votes in: its own row.</summary>
/// <param name="Batch">Which batch.</param>
/// <param name="Row">Which row of it.</param>
/// <param name="Summary">The sum of its texts.</param>
/// <param name="Vote">Its products, then, in the same 64 bits each, its vote in grid units.</param>
internal sealed record BatchRow(int Batch, int Row, Memory<double> Summary, Memory<double> Vote);
