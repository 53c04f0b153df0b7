using System.Buffers;
using System.Runtime.InteropServices;
using Chorus.Simulation.Data;

namespace Chorus.Simulation.Embedding;

/// <summary>
/// The embeddings of all texts of a <see cref="ClientStore"/> on disk, made client by client as they are first asked for. Any
/// number of threads and processes may share a file: whatever is not there, or not whole, is made again, to the same bytes.
/// </summary>
/// <remarks>
/// A sparse file with a place for each client: its texts' rows (float32, in the machine's byte order), then one uint32, the CRC-32C of
/// the rows or 1 where that is 0; 0 says that nobody has written here. Two who write one place write the same bytes, and
/// one who reads what is half written, or what a crash left, sees it by the CRC; so there are no locks, and nothing is
/// flushed. Embeddings say almost as much as their texts: only the file's owner can read it.
/// </remarks>
public sealed class EmbeddingFile : IDisposable
{
    private const string Suffix = ".embeddings";

    private readonly ClientStore _clients;
    private readonly FileStream _file;
    private volatile bool _full;

    private EmbeddingFile(ClientStore clients, int dimension, FileStream file) => (_clients, Dimension, _file) = (clients, dimension, file);

    /// <summary>Numbers in an embedding.</summary>
    public int Dimension { get; }

    /// <summary>Whether the disk had no room for what was made, so that it will be made again.</summary>
    public bool IsFull => _full;

    /// <param name="clients">Whose embeddings; stays the caller's.</param>
    /// <param name="encoder">Names the encoder and all that its bits depend on: a file name.</param>
    /// <param name="dimension">Numbers in an embedding.</param>
    /// <param name="folder">Where such files lie; made on first use.</param>
    public static EmbeddingFile Open(ClientStore clients, string encoder, int dimension, string folder)
    {
        ArgumentNullException.ThrowIfNull(clients);
        PrivateFiles.CreateFolder(folder);
        FileStream file = PrivateFiles.Share(Path.Combine(folder, $"{clients.Sha256}.{encoder}.{dimension}{Suffix}"));
        return new EmbeddingFile(clients, dimension, file);
    }

    /// <summary>Reads a client's embeddings, where they are there and whole.</summary>
    /// <param name="client">Index in [0, clients).</param>
    /// <param name="rows">[texts of the client, Dimension].</param>
    public bool TryRead(int client, Span<float> rows)
    {
        int length = RequireRows(client, rows);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length + sizeof(uint));
        try
        {
            Span<byte> bytes = rented.AsSpan(0, length + sizeof(uint));
            if (!ReadAll(bytes, PlaceOf(client)) || MemoryMarshal.Read<uint>(bytes[length..]) is var crc && (crc == 0 || crc != CrcOf(bytes[..length])))
                return false;
            bytes[..length].CopyTo(MemoryMarshal.AsBytes(rows));
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        }
    }

    /// <summary>Keeps a client's embeddings. A disk without room is no error: they are made again when asked for (<see cref="IsFull"/>).</summary>
    /// <param name="client">Index in [0, clients).</param>
    /// <param name="rows">[texts of the client, Dimension].</param>
    public void Write(int client, ReadOnlySpan<float> rows)
    {
        int length = RequireRows(client, rows);
        if (_full)
            return;
        byte[] rented = ArrayPool<byte>.Shared.Rent(length + sizeof(uint));
        try
        {
            Span<byte> bytes = rented.AsSpan(0, length + sizeof(uint));
            MemoryMarshal.AsBytes(rows).CopyTo(bytes);
            MemoryMarshal.Write(bytes[length..], CrcOf(bytes[..length]));
            RandomAccess.Write(_file.SafeFileHandle, bytes, PlaceOf(client));
        }
        catch (IOException)
        {
            _full = true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        }
    }

    public void Dispose() => _file.Dispose();

    private long PlaceOf(int client) => (_clients.FirstTextOf(client) * Dimension * sizeof(float)) + ((long)client * sizeof(uint));

    private int RequireRows(int client, ReadOnlySpan<float> rows)
    {
        int wanted = checked(_clients.TextCountOf(client) * Dimension);
        return rows.Length == wanted
            ? checked(wanted * sizeof(float))
            : throw new ArgumentException($"client {client} has {wanted} numbers in its embeddings, got room for {rows.Length}");
    }

    private bool ReadAll(Span<byte> bytes, long at)
    {
        while (bytes.Length > 0)
        {
            int read = RandomAccess.Read(_file.SafeFileHandle, bytes, at);
            if (read == 0)
                return false;
            bytes = bytes[read..];
            at += read;
        }

        return true;
    }

    private static uint CrcOf(ReadOnlySpan<byte> bytes) => Crc32C.Of(bytes) is not 0 and var crc ? crc : 1;
}
