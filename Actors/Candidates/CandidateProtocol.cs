using Chorus.Actors.Clients;
using Chorus.Simulation.Popri;

namespace Chorus.Actors.Candidates;

/// <summary>How the candidates' embeddings reach a node: once, in chunks, checked against their hash.</summary>
public static class CandidateProtocol
{
    /// <summary>A block asks its node for the scorer of these candidates.</summary>
    internal sealed record GetScorer(string Run, int Round, string Sha256) : ClientProtocol.ILocal;

    /// <summary>The node holds the candidates; all its clients share the scorer.</summary>
    internal sealed record ScorerHeld(string Sha256, IVoteScorer Scorer) : ClientProtocol.ILocal;

    /// <summary>A node asks the coordinator for the next chunk: a chunk is sent only when asked for.</summary>
    public sealed record GetChunk(string Run, int Round, string Sha256, int Index) : IRunMessage;

    /// <summary>Chunk <paramref name="Index"/> of <paramref name="Count"/> of the embedding matrix's bytes.</summary>
    public sealed record Chunk(string Run, int Round, string Sha256, int Index, int Count, byte[] Bytes) : IRunMessage;
}
