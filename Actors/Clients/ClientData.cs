using System.Collections.Immutable;
using Chorus.Simulation.Data;
using Chorus.Simulation.Embedding;

namespace Chorus.Actors.Clients;

/// <summary>What the clients of a node read their own texts and embeddings through. Thread-safe.</summary>
/// <param name="Texts">Where clients' texts lie; a client reads only its own.</param>
/// <param name="Encoder">Shared by all clients of the node.</param>
/// <param name="Kept">Where embeddings lie on disk; null: each client keeps its own in memory.</param>
public sealed record ClientData(ClientTexts Texts, ISentenceEncoder Encoder, EmbeddingFile? Kept = null)
{
    public ImmutableArray<string> TextsOf(int client) => Texts.ReadTexts(client);

    /// <summary>Numbers in all embeddings of a client.</summary>
    public int NumbersOf(int client) => checked(Texts.TextCountOf(client) * Encoder.Dimension);

    /// <summary>A client's embeddings, from disk or by encoding its texts.</summary>
    /// <param name="embeddings">[texts of the client, Dimension]; overwritten.</param>
    public void Embed(int client, Span<float> embeddings)
    {
        if (Kept?.TryRead(client, embeddings) == true)
            return;
        Encoder.Encode(TextsOf(client), embeddings);
        Kept?.Write(client, embeddings);
    }
}
