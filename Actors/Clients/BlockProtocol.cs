namespace Chorus.Actors.Clients;

/// <summary>What the coordinator says to a block of clients through the shard region, and hears from it.</summary>
public static class BlockProtocol
{
    /// <summary>
    /// Asks a block for the votes of its sampled clients, under a lease. Idempotent: a block that already works under
    /// this lease goes on, and one that has finished offers its sum again.
    /// </summary>
    /// <param name="Run">The run.</param>
    /// <param name="Round">The round, from 1.</param>
    /// <param name="Block">The block, from 0; also the entity's id.</param>
    /// <param name="Lease">Grows each time the block is leased anew; older ones are dead.</param>
    /// <param name="CandidatesSha256">Which candidates to score.</param>
    /// <param name="Sampled">One bit a client of the block, least significant first: is it in the round's cohort?</param>
    public sealed record VoteBlock(string Run, int Round, int Block, long Lease, string CandidatesSha256, byte[] Sampled) : IRunMessage;

    /// <summary>The block cannot vote, and asking again would not help: its data is missing or differs.</summary>
    public sealed record BlockFailed(string Run, int Round, int Block, long Lease, string Reason) : IRunMessage;
}
