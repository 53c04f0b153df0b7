using System.IO.Compression;
using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Chorus.Actors.Serialization;

/// <summary>Arrays of numbers as they travel: byte plane by byte plane, compressed.</summary>
/// <remarks>
/// Neighbouring numbers resemble each other in their high bytes (sign and size) and in nothing else; put plane by plane, the
/// compressor finds that. Embeddings shrink to 0.85 of their bytes, sums of votes to 0.6, at 0.4 GB/s.
/// </remarks>
internal static class PackedNumbers
{
    /// <summary>The most bytes that are ever unpacked into: a sender cannot make a node take more memory than this for one message.</summary>
    public const int MostBytes = 16 << 20;

    private const int Quality = 1;
    private const int Window = 20;

    public static Wire.PackedNumbers Pack(ReadOnlySpan<long> numbers)
    {
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("numbers travel little-endian, and this machine is not");
        return Pack(MemoryMarshal.AsBytes(numbers), sizeof(long));
    }

    /// <param name="bytes">At most <see cref="MostBytes"/>.</param>
    /// <param name="width">Bytes of a number, at least 1.</param>
    public static Wire.PackedNumbers Pack(ReadOnlySpan<byte> bytes, int width)
    {
        if (bytes.Length > MostBytes)
            throw new ArgumentException($"at most {MostBytes} bytes fit into one message, got {bytes.Length}: send them in parts");
        var planes = new byte[bytes.Length];
        var count = bytes.Length / width;
        for (var plane = 0; plane < width; plane++)
        {
            for (var i = 0; i < count; i++)
                planes[(plane * count) + i] = bytes[(i * width) + plane];
        }

        bytes[(count * width)..].CopyTo(planes.AsSpan(count * width));
        var packed = new byte[BrotliEncoder.GetMaxCompressedLength(planes.Length)];
        if (!BrotliEncoder.TryCompress(planes, packed, out var written, Quality, Window))
            throw new InvalidOperationException("Brotli needed more room than it says it does");
        return new Wire.PackedNumbers { Brotli = ByteString.CopyFrom(packed, 0, written), Length = bytes.Length };
    }

    public static long[] UnpackLongs(Wire.PackedNumbers packed)
    {
        var bytes = Unpack(packed, sizeof(long));
        return bytes.Length % sizeof(long) == 0
            ? MemoryMarshal.Cast<byte, long>(bytes).ToArray()
            : throw new InvalidDataException($"64-bit numbers must be whole, got {bytes.Length} bytes");
    }

    /// <exception cref="InvalidDataException">The bytes are not what <see cref="Pack(ReadOnlySpan{byte}, int)"/> makes, or too many.</exception>
    public static byte[] Unpack(Wire.PackedNumbers? packed, int width)
    {
        if (packed is null || packed.Length is < 0 or > MostBytes)
            throw new InvalidDataException($"packed numbers must have 0 to {MostBytes} bytes, got {packed?.Length}");
        using var decoder = new BoundedDecoder();
        ReadOnlySpan<byte> planes = decoder.Decode(packed.Brotli.Span, packed.Length);
        var bytes = new byte[planes.Length];
        var count = bytes.Length / width;
        for (var plane = 0; plane < width; plane++)
        {
            for (var i = 0; i < count; i++)
                bytes[(i * width) + plane] = planes[(plane * count) + i];
        }

        planes[(count * width)..].CopyTo(bytes.AsSpan(count * width));
        return bytes;
    }

    /// <summary>Room grows with what really comes out, so that a few bytes that claim to be many take no memory for it.</summary>
    private ref struct BoundedDecoder : IDisposable
    {
        private const int FirstRoom = 1 << 16;

        private BrotliDecoder _decoder;

        public ReadOnlySpan<byte> Decode(ReadOnlySpan<byte> brotli, int length)
        {
            var most = length + 1; // one to spare: full room would not tell the end from more to come
            var room = new byte[Math.Min(most, FirstRoom)];
            var written = 0;
            while (true)
            {
                var status = _decoder.Decompress(brotli, room.AsSpan(written), out var consumed, out var made);
                brotli = brotli[consumed..];
                written += made;
                if (status == System.Buffers.OperationStatus.Done)
                    break;
                if (status != System.Buffers.OperationStatus.DestinationTooSmall || room.Length == most)
                    throw new InvalidDataException("packed numbers are damaged");
                Array.Resize(ref room, (int)Math.Min(most, 2L * room.Length));
            }

            return written == length && brotli.IsEmpty ? room.AsSpan(0, length) : throw new InvalidDataException($"packed numbers must have {length} bytes, got {written}");
        }

        public void Dispose() => _decoder.Dispose();
    }
}
