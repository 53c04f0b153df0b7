using System.Buffers;

namespace Chorus.Gpu.Collectives;

/// <summary>Carries bytes between the ranks of one epoch: what <see cref="HostCollective"/> stands on, whether the ranks share a process or not.</summary>
/// <remarks>What one rank sends to another arrives whole, once and in order, or the links are closed.</remarks>
public interface ICollectiveLinks : IDisposable
{
    int Rank { get; }

    int Count { get; }

    /// <summary>The most bytes of a message.</summary>
    int LargestMessage { get; }

    /// <summary>Sends a copy of the bytes; may wait for room.</summary>
    /// <exception cref="CollectiveBrokenException">The links are closed.</exception>
    void Send(int to, ReadOnlySpan<byte> bytes);

    /// <summary>The next message of that rank, which the caller disposes.</summary>
    /// <exception cref="CollectiveBrokenException">The links are closed, or nothing came for too long.</exception>
    Message Receive(int from);

    /// <summary>Ends all that waits, here and (as far as it can be told) at the other ranks; only the first reason counts.</summary>
    void Close(string reason);
}

/// <summary>Bytes in a buffer that goes back to its pool.</summary>
public readonly struct Message(byte[] buffer, int length, bool pooled) : IDisposable
{
    public ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, length);

    /// <summary>A copy in pooled memory.</summary>
    public static Message Copy(ReadOnlySpan<byte> bytes)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(bytes.Length);
        bytes.CopyTo(buffer);
        return new Message(buffer, bytes.Length, pooled: true);
    }

    public void Dispose()
    {
        if (pooled)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}
