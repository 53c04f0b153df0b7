using Chorus.Actors.Clients;
using Chorus.Simulation.Federation;

namespace Chorus.Actors.Candidates;

/// <summary>How a round's array (the candidates' embeddings, or a model's weights) reaches a node: once, in chunks, checked against its hash.</summary>
public static class CandidateProtocol
{
    /// <summary>A block asks its node for what its clients do with this array.</summary>
    /// <param name="Make">Makes it, where the node does not hold it yet.</param>
    internal sealed record GetWork(string Run, int Round, string Sha256, ClientWorkFactory Make) : ClientProtocol.ILocal;

    /// <summary>The node holds the array; all its clients share what was made of it.</summary>
    internal sealed record WorkHeld(string Sha256, IClientWork Work) : ClientProtocol.ILocal;

    /// <summary>A node asks the coordinator for the next chunk: a chunk is sent only when asked for.</summary>
    public sealed record GetChunk(string Run, int Round, string Sha256, int Index) : IRunMessage;

    /// <summary>Chunk <paramref name="Index"/> of <paramref name="Count"/> of the array's bytes.</summary>
    public sealed record Chunk(string Run, int Round, string Sha256, int Index, int Count, byte[] Bytes) : IRunMessage;
}
