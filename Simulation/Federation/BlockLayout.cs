namespace Chorus.Simulation.Federation;

/// <summary>
/// Cuts the clients [0, Clients) into blocks of BlockSize neighbours, the last one perhaps shorter. It depends on nothing
/// that a node or a retry could change, which is what makes a block's sum the same wherever it is made.
/// </summary>
/// <param name="Clients">Population, at least 1.</param>
/// <param name="BlockSize">Clients a block, at least 1.</param>
public sealed record BlockLayout(int Clients, int BlockSize)
{
    public int Clients { get; } = Clients >= 1
        ? Clients
        : throw new ArgumentOutOfRangeException(nameof(Clients), $"clients must be at least 1, got {Clients}");

    public int BlockSize { get; } = BlockSize >= 1
        ? BlockSize
        : throw new ArgumentOutOfRangeException(nameof(BlockSize), $"block size must be at least 1, got {BlockSize}");

    /// <summary>Number of blocks.</summary>
    public int Blocks => ((Clients - 1) / BlockSize) + 1;

    /// <summary>The block that a client lives in.</summary>
    public int BlockOf(int client) => (uint)client < (uint)Clients
        ? client / BlockSize
        : throw new ArgumentOutOfRangeException(nameof(client), $"client must be in [0, {Clients}), got {client}");

    /// <summary>The clients [First, First + Count) of a block.</summary>
    public (int First, int Count) RangeOf(int block)
    {
        if ((uint)block >= (uint)Blocks)
            throw new ArgumentOutOfRangeException(nameof(block), $"block must be in [0, {Blocks}), got {block}");
        int first = block * BlockSize;
        return (first, Math.Min(BlockSize, Clients - first));
    }
}
