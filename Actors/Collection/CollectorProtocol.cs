using Chorus.Actors.Clients;
using Chorus.Simulation.Aggregation;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Collection;

/// <summary>What blocks, a node's collector and the coordinator say to each other about votes that are counted.</summary>
public static class CollectorProtocol
{
    /// <summary>A block's finished sum, handed to the collector of its own node.</summary>
    /// <param name="Sum">Fixed-point sum over the block's counted clients; read-only from here, for the block may offer it again.</param>
    /// <param name="Clients">Of the clients counted.</param>
    internal sealed record BlockCounted(string Run, int Round, int Block, long Lease, long[] Sum, ClientDigest Clients, VoteTally Tally)
        : ClientProtocol.ILocal;

    /// <summary>To a block: its sum is in its node's sum, and need not be offered again under this lease.</summary>
    internal sealed record BlockTaken(int Round, long Lease) : ClientProtocol.ILocal;

    /// <summary>Asks the coordinator whether this collector may count a block. Repeated until answered.</summary>
    public sealed record ClaimBlock(string Run, int Round, int Block, long Lease, string Collector) : IRunMessage;

    /// <summary>The claim is granted: this collector, and no other, counts the block.</summary>
    public sealed record BlockGranted(string Run, int Round, int Block, long Lease) : IRunMessage;

    /// <summary>The lease is dead or another collector counts the block: forget its sum.</summary>
    public sealed record BlockDenied(string Run, int Round, int Block, long Lease) : IRunMessage;

    /// <summary>The coordinator has given this collector up: all it was granted is void and leased anew.</summary>
    public sealed record CollectorRevoked(string Run, int Round, string Collector) : IRunMessage;

    /// <summary>Every block is granted: send the one partial sum over the blocks that you were granted.</summary>
    /// <param name="Part">Which part of it, from 0: a long one travels in parts, each sent only when it is asked for.</param>
    public sealed record DeliverPartial(string Run, int Round, int Part = 0) : IRunMessage;

    /// <summary>One node's sum over all blocks that it was granted, or a part of it.</summary>
    /// <param name="Blocks">The blocks in it, ascending, each with the lease under which it was granted.</param>
    /// <param name="Sum">Fixed-point sum over the counted clients; of a part, its numbers from <see cref="PartialParts.Numbers"/> times the part on.</param>
    /// <param name="Clients">Of the clients counted.</param>
    /// <param name="Part">Which part this is, from 0.</param>
    /// <param name="Parts">How many there are.</param>
    public sealed record PartialSum(
        string Run, int Round, string Collector, IReadOnlyList<GrantedBlock> Blocks, long[] Sum, ClientDigest Clients, VoteTally Tally, int Part = 0, int Parts = 1)
        : IRunMessage;

    /// <summary>Your partial sum is merged: whatever you count of this round from here on is a new partial sum.</summary>
    public sealed record PartialMerged(string Run, int Round, string Collector) : IRunMessage;

    /// <summary>The round is over: collectors forget what they hold of it.</summary>
    public sealed record RoundClosed(string Run, int Round) : IRunMessage;

    public sealed record GrantedBlock(int Block, long Lease);
}

/// <summary>How many counted clients had a zero vote and why, and how many had one that was too long.</summary>
/// <param name="Clipped">Votes that came longer than norm 1 and were scaled down to it: a client that does not keep to the protocol.</param>
/// <param name="Invalid">Votes of another length or kind than was asked for: counted as zero.</param>
public sealed record VoteTally(int NoText, int NotFinite, int ZeroSpread, int Clipped = 0, int Invalid = 0)
{
    public static VoteTally None { get; } = new(0, 0, 0);

    public static VoteTally OfClipped { get; } = new(0, 0, 0, Clipped: 1);

    public static VoteTally OfInvalid { get; } = new(0, 0, 0, Invalid: 1);

    private static readonly VoteTally OneNoText = new(1, 0, 0), OneNotFinite = new(0, 1, 0), OneZeroSpread = new(0, 0, 1);

    public int Zero => NoText + NotFinite + ZeroSpread + Invalid;

    /// <summary>Of one client whose vote came to this.</summary>
    public static VoteTally Of(VoteKind kind) => kind switch
    {
        VoteKind.Counted => None,
        VoteKind.NoText => OneNoText,
        VoteKind.NotFinite => OneNotFinite,
        VoteKind.ZeroSpread => OneZeroSpread,
        _ => OfInvalid,
    };

    public static VoteTally operator +(VoteTally a, VoteTally b) => new(
        a.NoText + b.NoText, a.NotFinite + b.NotFinite, a.ZeroSpread + b.ZeroSpread, a.Clipped + b.Clipped, a.Invalid + b.Invalid);
}
