using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Chorus.Simulation.Embedding;

/// <summary>An immutable row-major matrix of float32 embeddings, known by the hash of its bytes.</summary>
public sealed class EmbeddingMatrix
{
    private const int HeaderBytes = 16;
    private const uint Version = 1;
    private const int TextsAPiece = 64;

    private readonly float[] _values;
    private readonly Lazy<string> _sha256;

    /// <param name="rows">At least 0.</param>
    /// <param name="dimension">Numbers in a row, at least 1.</param>
    /// <param name="values">Row-major [rows, dimension]; copied.</param>
    public EmbeddingMatrix(int rows, int dimension, float[] values)
        : this((float[])(values ?? throw new ArgumentNullException(nameof(values))).Clone(), rows, dimension)
    {
    }

    private EmbeddingMatrix(float[] owned, int rows, int dimension)
    {
        RequireShape(rows, dimension);
        if (owned.Length != (long)rows * dimension)
            throw new ArgumentException($"{rows} rows of {dimension} need {(long)rows * dimension} numbers, got {owned.Length}");
        Rows = rows;
        Dimension = dimension;
        _values = owned;
        _sha256 = new Lazy<string>(Hash);
    }

    public int Rows { get; }

    /// <summary>Numbers in a row.</summary>
    public int Dimension { get; }

    /// <summary>All rows, one after the other.</summary>
    public ReadOnlyMemory<float> Values => _values;

    /// <summary>SHA-256 of <see cref="ToBytes"/>, lower-case hex; computed once, when first asked for.</summary>
    public string Sha256 => _sha256.Value;

    public ReadOnlySpan<float> Row(int i) => (uint)i < (uint)Rows
        ? _values.AsSpan(i * Dimension, Dimension)
        : throw new ArgumentOutOfRangeException(nameof(i), $"row must be in [0, {Rows}), got {i}");

    /// <summary>Encodes texts in parallel, in pieces that do not depend on the number of threads.</summary>
    public static EmbeddingMatrix Encode(ISentenceEncoder e, IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(e);
        ArgumentNullException.ThrowIfNull(texts);
        RequireShape(texts.Count, e.Dimension);
        string[] all = [.. texts];
        var values = new float[all.Length * e.Dimension];
        int pieces = (all.Length + TextsAPiece - 1) / TextsAPiece;
        Parallel.For(0, pieces, piece =>
        {
            int first = piece * TextsAPiece;
            int count = Math.Min(TextsAPiece, all.Length - first);
            e.Encode(new ArraySegment<string>(all, first, count), values.AsSpan(first * e.Dimension, count * e.Dimension));
        });
        return new EmbeddingMatrix(values, all.Length, e.Dimension);
    }

    /// <summary>"CHEM", version, rows, dimension (int32 each), then the values as float32, all little-endian.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[HeaderBytes + (_values.Length * sizeof(float))];
        WriteHeader(bytes);
        Span<byte> body = bytes.AsSpan(HeaderBytes);
        if (BitConverter.IsLittleEndian)
            MemoryMarshal.AsBytes(_values.AsSpan()).CopyTo(body);
        else
            for (int i = 0; i < _values.Length; i++)
                BinaryPrimitives.WriteSingleLittleEndian(body[(i * sizeof(float))..], _values[i]);
        return bytes;
    }

    /// <summary>Reads <see cref="ToBytes"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes are not those of an embedding matrix.</exception>
    public static EmbeddingMatrix FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderBytes || !bytes[..4].SequenceEqual("CHEM"u8))
            throw new InvalidDataException("an embedding matrix must open with CHEM and a header of 16 bytes");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        if (version != Version)
            throw new InvalidDataException($"embedding matrix version must be {Version}, got {version}");
        int rows = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        int dimension = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        long expected = HeaderBytes + ((long)rows * dimension * sizeof(float));
        if (rows < 0 || dimension < 1 || bytes.Length != expected)
            throw new InvalidDataException($"{rows} rows of {dimension} float32 need {expected} bytes, got {bytes.Length}");
        var values = new float[rows * dimension];
        ReadOnlySpan<byte> body = bytes[HeaderBytes..];
        if (BitConverter.IsLittleEndian)
            body.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        else
            for (int i = 0; i < values.Length; i++)
                values[i] = BinaryPrimitives.ReadSingleLittleEndian(body[(i * sizeof(float))..]);
        return new EmbeddingMatrix(values, rows, dimension);
    }

    private string Hash()
    {
        if (!BitConverter.IsLittleEndian)
            return Convert.ToHexStringLower(SHA256.HashData(ToBytes()));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);   // no second copy of the values
        Span<byte> header = stackalloc byte[HeaderBytes];
        WriteHeader(header);
        hash.AppendData(header);
        hash.AppendData(MemoryMarshal.AsBytes(_values.AsSpan()));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void WriteHeader(Span<byte> header)
    {
        "CHEM"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], Rows);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], Dimension);
    }

    // The bytes must fit one array, header included.
    private static void RequireShape(int rows, int dimension)
    {
        if (rows < 0)
            throw new ArgumentOutOfRangeException(nameof(rows), $"rows must be at least 0, got {rows}");
        if (dimension < 1)
            throw new ArgumentOutOfRangeException(nameof(dimension), $"dimension must be at least 1, got {dimension}");
        if ((long)rows * dimension > (Array.MaxLength - HeaderBytes) / sizeof(float))
            throw new ArgumentException($"rows * dimension must be at most {(Array.MaxLength - HeaderBytes) / sizeof(float)}, got {rows} * {dimension}");
    }
}
