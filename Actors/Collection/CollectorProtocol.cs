using Chorus.Actors.Clients;

namespace Chorus.Actors.Collection;

/// <summary>What blocks, a node's collector and the coordinator say to each other about votes that are counted.</summary>
public static class CollectorProtocol
{
    /// <summary>A block's finished sum, handed to the collector of its own node.</summary>
    /// <param name="Sum">Fixed-point sum over the block's counted clients; read-only from here, for the block may offer it again.</param>
    /// <param name="Clients">Indices of the clients counted, ascending.</param>
    internal sealed record BlockCounted(string Run, int Round, int Block, long Lease, long[] Sum, int[] Clients, VoteTally Tally)
        : ClientProtocol.ILocal;

    /// <summary>Asks the coordinator whether this collector may count a block. Repeated until answered.</summary>
    public sealed record ClaimBlock(string Run, int Round, int Block, long Lease, string Collector) : IRunMessage;

    /// <summary>The claim is granted: this collector, and no other, counts the block.</summary>
    public sealed record BlockGranted(string Run, int Round, int Block, long Lease) : IRunMessage;

    /// <summary>The lease is dead or another collector counts the block: forget its sum.</summary>
    public sealed record BlockDenied(string Run, int Round, int Block, long Lease) : IRunMessage;

    /// <summary>The coordinator has given this collector up: all it was granted is void and leased anew.</summary>
    public sealed record CollectorRevoked(string Run, int Round, string Collector) : IRunMessage;

    /// <summary>Every block is granted: send the one partial sum over the blocks that you were granted.</summary>
    public sealed record DeliverPartial(string Run, int Round) : IRunMessage;

    /// <summary>One node's sum over all blocks that it was granted.</summary>
    /// <param name="Blocks">The blocks in it, ascending, each with the lease under which it was granted.</param>
    /// <param name="Sum">Fixed-point sum over the counted clients.</param>
    /// <param name="Clients">Indices of the clients counted, ascending.</param>
    public sealed record PartialSum(
        string Run, int Round, string Collector, IReadOnlyList<GrantedBlock> Blocks, long[] Sum, int[] Clients, VoteTally Tally) : IRunMessage;

    /// <summary>Your partial sum is merged: whatever you count of this round from here on is a new partial sum.</summary>
    public sealed record PartialMerged(string Run, int Round, string Collector) : IRunMessage;

    /// <summary>The round is over: collectors forget what they hold of it.</summary>
    public sealed record RoundClosed(string Run, int Round) : IRunMessage;

    public sealed record GrantedBlock(int Block, long Lease);
}

/// <summary>How many counted clients had a zero vote, and why.</summary>
public sealed record VoteTally(int NoText, int NotFinite, int ZeroSpread)
{
    public static VoteTally None { get; } = new(0, 0, 0);

    public int Zero => NoText + NotFinite + ZeroSpread;

    public static VoteTally operator +(VoteTally a, VoteTally b) =>
        new(a.NoText + b.NoText, a.NotFinite + b.NotFinite, a.ZeroSpread + b.ZeroSpread);
}
