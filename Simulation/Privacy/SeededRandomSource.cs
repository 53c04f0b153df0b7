using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Chorus.Simulation.Privacy;

/// <summary>A repeatable stream of bytes: AES-256 in counter mode under a key hashed from a seed and a purpose.</summary>
/// <remarks>
/// Key = SHA-256("chorus seeded random 1" || 0 || seed as 8 little-endian bytes || purpose in UTF-8), so every purpose has
/// a stream of its own; a secret of 32 bytes takes the seed's place where the stream is to be repeated by its owner alone. Block i of the stream is AES(key, i), i as 16 little-endian bytes. The bytes depend neither on the
/// platform nor on how the calls to Fill cut them. Noise from here is for runs that are to be repeated: whoever knows the
/// seed can subtract it. Not thread-safe.
/// </remarks>
public sealed class SeededRandomSource : IRandomSource
{
    /// <summary>Bytes of a secret.</summary>
    public const int SecretBytes = 32;

    private const int BlockBytes = 16;
    private const int BufferBytes = 256 * BlockBytes;

    private readonly byte[] _key;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _used = BufferBytes;
    private ulong _nextBlock;

    /// <param name="seed">The run's seed.</param>
    /// <param name="purpose">What the bytes are for, such as "noise/7".</param>
    public SeededRandomSource(ulong seed, string purpose)
        : this(Bytes(seed), "chorus seeded random 1\0"u8, purpose)
    {
    }

    /// <param name="secret">32 bytes of the operating system's generator.</param>
    /// <param name="purpose">What the bytes are for.</param>
    public SeededRandomSource(ReadOnlySpan<byte> secret, string purpose)
        : this(secret.Length == SecretBytes ? secret : throw new ArgumentException($"a secret has {SecretBytes} bytes, got {secret.Length}"), "chorus secret random 1\0"u8, purpose)
    {
    }

    private SeededRandomSource(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> domain, string purpose)
    {
        ArgumentNullException.ThrowIfNull(purpose);
        _key = SHA256.HashData([.. domain, .. seed, .. Encoding.UTF8.GetBytes(purpose)]);
    }

    public void Fill(Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            if (_used == BufferBytes)
                Refill();
            int taken = Math.Min(destination.Length, BufferBytes - _used);
            _buffer.AsSpan(_used, taken).CopyTo(destination);
            _used += taken;
            destination = destination[taken..];
        }
    }

    private static byte[] Bytes(ulong seed)
    {
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, seed);
        return bytes;
    }

    private void Refill()
    {
        Span<byte> counters = stackalloc byte[BufferBytes];
        for (int at = 0; at < BufferBytes; at += BlockBytes)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(counters[at..], _nextBlock++);
            counters.Slice(at + sizeof(ulong), sizeof(ulong)).Clear();
        }

        // One cipher a refill rather than one a source: nothing native outlives the call, so a source needs no disposal.
        using Aes aes = Aes.Create();
        aes.Key = _key;
        aes.EncryptEcb(counters, _buffer, PaddingMode.None);
        _used = 0;
    }
}
