using System.Collections.Immutable;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Chorus.Simulation.Data;

/// <summary>
/// The clients of a <c>train_clients.json</c> in a memory-mapped file with an index by client: nothing of it lies on the
/// heap, and processes of one machine share its pages. Made in one streaming pass, once for each content of the JSON.
/// </summary>
/// <remarks>
/// <c>FOLDER/SHA256.clients</c>, by the JSON's hash; all numbers little-endian:
/// header, 64 bytes: "CHCT", version, clients (int32), the CRC-32C of all from the ids on, then as int64 the number of texts
/// and where ids, index and end of the file are;
/// texts: for each client one after the other, each as its length in UTF-8 (LEB128) and its bytes;
/// ids: the same, one a client; index: for each client, and once more for the end, where its texts begin, the number of
/// its first text, where its id begins (int64 each), and the CRC-32C of its texts (uint32 in an int64).
/// The file holds private texts: only its owner can read it. A file that is not whole is made anew; texts that were damaged
/// since are found by their CRC and told.
/// </remarks>
public sealed class ClientStore : ClientTexts
{
    private const uint Version = 1;
    private const int HeaderBytes = 64;
    private const int EntryBytes = 4 * sizeof(long);

    private readonly string _path;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly long _index;

    private ClientStore(string path, string sha256, MemoryMappedFile file, MemoryMappedViewAccessor view)
    {
        (_path, Sha256, _file, _view) = (path, sha256, file, view);
        Count = view.ReadInt32(8);
        TextCount = view.ReadInt64(16);
        _index = view.ReadInt64(32);
    }

    public override int Count { get; }

    public override long TextCount { get; }

    public override string Sha256 { get; }

    /// <summary>Opens the store of a JSON file, and makes it where there is none.</summary>
    /// <param name="jsonPath">A <c>train_clients.json</c>.</param>
    /// <param name="folder">Where stores lie; made on first use.</param>
    /// <exception cref="DataFormatException">The JSON is missing or not as the format asks.</exception>
    public static ClientStore Open(string jsonPath, string folder)
    {
        using SafeFileHandle json = ClientsJson.Open(jsonPath);
        string sha256 = Hash(json);
        string path = Path.Combine(folder, $"{sha256}.clients");
        if (TryMap(path, sha256) is { } there)
            return there;
        PrivateFiles.CreateFolder(folder);
        string temporary = Path.Combine(folder, $".{sha256}.{Guid.NewGuid():n}");
        try
        {
            using (var writer = new Writer(temporary))
            {
                using var tokens = new JsonTokenStream(json, jsonPath);
                ClientsJson.Read(tokens, jsonPath, writer);
                writer.Finish();
                if (tokens.FinishHash() != sha256)
                    throw new DataFormatException(jsonPath, null, "a file that nobody writes to", "a file that changed while it was read");
            }

            File.Move(temporary, path, overwrite: true); // another process that was faster wrote the same
        }
        finally
        {
            File.Delete(temporary);
        }

        return TryMap(path, sha256) ?? throw new DataFormatException(path, null, "the store that was just written", "another file");
    }

    public override string IdOf(int client)
    {
        var reader = ReaderOf(EntryAt(client).Id, EntryAt(client + 1).Id);
        return reader.Next();
    }

    public override int TextCountOf(int client) => (int)(EntryAt(client + 1).FirstText - EntryAt(client).FirstText);

    /// <summary>How many texts all clients before this one have.</summary>
    /// <param name="client">Index in [0, Count].</param>
    public long FirstTextOf(int client) => EntryAt(client).FirstText;

    /// <inheritdoc/>
    /// <exception cref="DataFormatException">The store is damaged.</exception>
    public override ImmutableArray<string> ReadTexts(int client)
    {
        (Entry entry, Entry next) = (EntryAt(client), EntryAt(client + 1));
        var texts = ImmutableArray.CreateBuilder<string>((int)(next.FirstText - entry.FirstText));
        var reader = ReaderOf(entry.Texts, next.Texts);
        if (reader.Crc != entry.Crc)
            throw Damaged(client);
        while (texts.Count < texts.Capacity)
            texts.Add(reader.Next());
        return texts.MoveToImmutable();
    }

    public override void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private static ClientStore? TryMap(string path, string sha256)
    {
        if (!File.Exists(path))
            return null;
        long length = new FileInfo(path).Length;
        if (length < HeaderBytes + EntryBytes)
            return null;
        MemoryMappedFile file = MemoryMappedFile.CreateFromFile(
            File.Open(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete), null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        MemoryMappedViewAccessor view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        long ids = view.ReadInt64(24), index = view.ReadInt64(32), end = view.ReadInt64(40);
        bool whole = view.ReadUInt32(0) == MemoryMarshal.Read<uint>("CHCT"u8) && view.ReadUInt32(4) == Version && view.ReadInt32(8) > 0
            && end == length && index + ((view.ReadInt32(8) + 1L) * EntryBytes) == length && ids is >= HeaderBytes && ids <= index
            && CrcOf(Stream(view, ids, end)) == view.ReadUInt32(12);
        if (whole)
            return new ClientStore(path, sha256, file, view);
        view.Dispose();
        file.Dispose();
        return null; // of another version, or cut: written anew
    }

    private static string Hash(SafeFileHandle file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        long at = 0;
        while (RandomAccess.Read(file, buffer, at) is > 0 and var read)
        {
            hash.AppendData(buffer, 0, read);
            at += read;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private Entry EntryAt(int client)
    {
        if ((uint)client > (uint)Count)
            throw new ArgumentOutOfRangeException(nameof(client), $"client must be in [0, {Count}), got {client}");
        long at = _index + ((long)client * EntryBytes);
        return new Entry(_view.ReadInt64(at), _view.ReadInt64(at + 8), _view.ReadInt64(at + 16), (uint)_view.ReadInt64(at + 24));
    }

    private Reader ReaderOf(long from, long to)
    {
        var bytes = new byte[to - from];
        using UnmanagedMemoryStream stream = Stream(_view, from, to);
        stream.ReadExactly(bytes);
        return new Reader(bytes);
    }

    private static UnmanagedMemoryStream Stream(MemoryMappedViewAccessor view, long from, long to) =>
        new(view.SafeMemoryMappedViewHandle, view.PointerOffset + from, to - from, FileAccess.Read);

    private DataFormatException Damaged(int client) =>
        new(_path, null, $"the texts of client \"{IdOf(client)}\"", "damaged bytes: delete this file, it is made anew from the data");

    private static uint CrcOf(Stream stream)
    {
        var crc = new Crc32C();
        var buffer = new byte[1 << 16];
        using (stream)
        {
            while (stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false) is > 0 and var read)
                crc.Add(buffer.AsSpan(0, read));
        }

        return crc.Value;
    }

    private readonly record struct Entry(long Texts, long FirstText, long Id, uint Crc);

    private ref struct Reader(byte[] bytes)
    {
        private int _at;

        public readonly uint Crc => Crc32C.Of(bytes);

        public string Next()
        {
            int length = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte b = bytes[_at++];
                length |= (b & 0x7F) << shift;
                if (b < 0x80)
                    break;
            }

            _at += length;
            return Encoding.UTF8.GetString(bytes, _at - length, length);
        }
    }

    private sealed class Writer : ClientsJson.ISink, IDisposable
    {
        private const int TailBytes = 1 << 20;

        private readonly FileStream _file;
        private readonly MemoryStream _ids = new();
        private readonly List<Entry> _entries = [];
        private readonly MemoryStream _client = new();
        private string _id = "";
        private long _texts;
        private long _firstText;

        public Writer(string path)
        {
            _file = PrivateFiles.Create(path);
            _file.Write(new byte[HeaderBytes]);
        }

        public void Begin(string id, long line)
        {
            (_id, _firstText) = (id, _texts);
            _client.SetLength(0);
        }

        public void Text(ReadOnlySpan<char> text)
        {
            Write(_client, text);
            _texts++;
        }

        public void End(long offset, int length)
        {
            ReadOnlySpan<byte> bytes = _client.GetBuffer().AsSpan(0, (int)_client.Length);
            _entries.Add(new Entry(_file.Position, _firstText, _ids.Length, Crc32C.Of(bytes)));
            _file.Write(bytes);
            Write(_ids, _id);
        }

        public void Finish()
        {
            long ids = _file.Position;
            var crc = new Crc32C();
            var tail = new MemoryStream();
            _ids.WriteTo(tail);
            using var to = new BinaryWriter(tail);
            foreach (Entry entry in _entries.Append(new Entry(ids, _texts, _ids.Length, 0)))
            {
                to.Write(entry.Texts);
                to.Write(entry.FirstText);
                to.Write(ids + entry.Id);
                to.Write((long)entry.Crc);
                if (tail.Length > TailBytes)
                    Flush();
            }

            Flush();
            long end = _file.Position;
            to.Write("CHCT"u8);
            to.Write(Version);
            to.Write(_entries.Count);
            to.Write(crc.Value);
            to.Write(_texts);
            to.Write(ids);
            to.Write(ids + _ids.Length);
            to.Write(end);
            _file.Position = 0;
            tail.WriteTo(_file);
            _file.Flush(flushToDisk: true);

            void Flush()
            {
                crc.Add(tail.GetBuffer().AsSpan(0, (int)tail.Length));
                tail.WriteTo(_file);
                tail.SetLength(0);
            }
        }

        public void Dispose() => _file.Dispose();

        private static void Write(Stream to, ReadOnlySpan<char> text)
        {
            byte[] rented = System.Buffers.ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
            int length = Encoding.UTF8.GetBytes(text, rented);
            for (uint rest = (uint)length; ; rest >>= 7)
            {
                to.WriteByte((byte)(rest < 0x80 ? rest : rest | 0x80));
                if (rest < 0x80)
                    break;
            }

            to.Write(rented, 0, length);
            System.Buffers.ArrayPool<byte>.Shared.Return(rented, clearArray: true); // private text stays with its reader
        }
    }
}
