using System.Collections.Immutable;

namespace Chorus.Simulation.Data;

/// <summary>The clients of a data set and their private texts, read one client at a time. Thread-safe.</summary>
public abstract class ClientTexts : IDisposable
{
    private protected ClientTexts()
    {
    }

    /// <summary>Number of clients, those with an empty list among them.</summary>
    public abstract int Count { get; }

    /// <summary>Number of texts of all clients together.</summary>
    public abstract long TextCount { get; }

    /// <summary>SHA-256 of <c>train_clients.json</c>'s bytes, lower-case hexadecimal.</summary>
    public abstract string Sha256 { get; }

    /// <param name="client">Index in [0, Count), in the file's order.</param>
    public abstract string IdOf(int client);

    /// <param name="client">Index in [0, Count).</param>
    public abstract int TextCountOf(int client);

    /// <summary>Reads one client's texts.</summary>
    /// <param name="client">Index in [0, Count).</param>
    public abstract ImmutableArray<string> ReadTexts(int client);

    public abstract void Dispose();
}
