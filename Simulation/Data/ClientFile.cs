using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Chorus.Simulation.Data;

/// <summary>Random access to <c>train_clients.json</c>, an object {client id: [text, ...]}, without holding it.</summary>
/// <remarks>
/// One streaming pass checks the whole file and keeps for each client its id, the place of its list and its number of texts;
/// a client's texts are read from the file when asked for. It is held with FileShare.Read against writers; a change in place
/// by a program that does not ask is reported where a client's list no longer reads as it did.
/// </remarks>
public sealed class ClientFile : ClientTexts
{
    private readonly SafeFileHandle _handle;
    private readonly string _path;
    private readonly List<Entry> _entries;
    private readonly long _textCount;

    private ClientFile(string path, SafeFileHandle handle, List<Entry> entries, string sha256)
    {
        _path = path;
        _handle = handle;
        _entries = entries;
        Sha256 = sha256;
        foreach (Entry entry in entries) _textCount += entry.Texts;
    }

    public override int Count => _entries.Count;

    public override long TextCount => _textCount;

    public override string Sha256 { get; }

    /// <summary>Checks and indexes the file.</summary>
    /// <exception cref="DataFormatException">The file is missing, is no JSON or UTF-8, has no clients, two clients of one id, or a client that is no list of strings.</exception>
    public static ClientFile Open(string path)
    {
        SafeFileHandle handle = ClientsJson.Open(path);
        try
        {
            using var tokens = new JsonTokenStream(handle, path);
            var index = new Index();
            ClientsJson.Read(tokens, path, index);
            return new ClientFile(path, handle, index.Entries, tokens.FinishHash());
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public override string IdOf(int client) => _entries[client].Id;

    public override int TextCountOf(int client) => _entries[client].Texts;

    /// <inheritdoc/>
    /// <exception cref="DataFormatException">The file was changed since it was opened.</exception>
    public override ImmutableArray<string> ReadTexts(int client)
    {
        Entry entry = _entries[client];
        byte[] rented = ArrayPool<byte>.Shared.Rent(entry.Length);
        try
        {
            Span<byte> bytes = rented.AsSpan(0, entry.Length);
            for (int read = 0; read < bytes.Length;)
            {
                int got = RandomAccess.Read(_handle, bytes[read..], entry.Offset + read);
                if (got == 0) throw Changed(entry, null);
                read += got;
            }
            return Parse(bytes, entry);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);   // private text stays with its reader
        }
    }

    public override void Dispose() => _handle.Dispose();

    private ImmutableArray<string> Parse(ReadOnlySpan<byte> bytes, Entry entry)
    {
        var texts = ImmutableArray.CreateBuilder<string>(entry.Texts);
        try
        {
            var reader = new Utf8JsonReader(bytes);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray) throw Changed(entry, null);
            while (reader.Read() && reader.TokenType == JsonTokenType.String) texts.Add(reader.GetString()!);
            if (reader.TokenType != JsonTokenType.EndArray || texts.Count != entry.Texts) throw Changed(entry, null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Changed(entry, e);
        }
        return texts.DrainToImmutable();
    }

    private DataFormatException Changed(Entry entry, Exception? inner) =>
        new(_path, entry.Line, $"the texts of client \"{entry.Id}\" where they stood when the file was opened", "a file changed since", inner);

    private sealed class Index : ClientsJson.ISink
    {
        private string _id = "";
        private long _line;
        private int _texts;

        public List<Entry> Entries { get; } = [];

        public void Begin(string id, long line) => (_id, _line, _texts) = (id, line, 0);

        public void Text(ReadOnlySpan<char> text) => _texts++;

        public void End(long offset, int length) => Entries.Add(new Entry(_id, offset, length, _texts, _line));
    }

    private readonly record struct Entry(string Id, long Offset, int Length, int Texts, long Line);
}
