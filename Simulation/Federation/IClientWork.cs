namespace Chorus.Simulation.Federation;

/// <summary>
/// What a round asks of each client: a vector of L2 norm at most 1, whatever the client holds. It is made on a node, once
/// and for all its clients, from the array that the round distributes (embeddings of candidates, weights of a model).
/// </summary>
public interface IClientWork
{
    /// <summary>Numbers in a client's vector.</summary>
    int VoteLength { get; }
}

/// <summary>Makes a round's work from the bytes of the array that it distributes; the same bytes make the same work on any node.</summary>
public delegate IClientWork ClientWorkFactory(ReadOnlyMemory<byte> array);
