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
public sealed class ClientFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly string _path;
    private readonly List<Entry> _entries;

    private ClientFile(string path, SafeFileHandle handle, List<Entry> entries, string sha256)
    {
        _path = path;
        _handle = handle;
        _entries = entries;
        Sha256 = sha256;
        foreach (Entry entry in entries) TextCount += entry.Texts;
    }

    /// <summary>Number of clients, those with an empty list among them.</summary>
    public int Count => _entries.Count;

    /// <summary>Number of texts of all clients together.</summary>
    public long TextCount { get; }

    /// <summary>SHA-256 of the file's bytes, lower-case hexadecimal.</summary>
    public string Sha256 { get; }

    /// <summary>Checks and indexes the file.</summary>
    /// <exception cref="DataFormatException">The file is missing, is no JSON or UTF-8, has no clients, two clients of one id, or a client that is no list of strings.</exception>
    public static ClientFile Open(string path)
    {
        if (!File.Exists(path)) throw new DataFormatException(path, null, "a file of clients' texts", "no such file");
        SafeFileHandle? handle = null;
        try
        {
            // Opened once and kept, so that the file indexed is the file read, even where another is renamed over it.
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.None);
            using var tokens = new JsonTokenStream(handle, path);
            List<Entry> entries = Index(tokens, path);
            return new ClientFile(path, handle, entries, tokens.FinishHash());
        }
        catch
        {
            handle?.Dispose();
            throw;
        }
    }

    /// <param name="client">Index in [0, Count), in the file's order.</param>
    public string IdOf(int client) => _entries[client].Id;

    /// <param name="client">Index in [0, Count).</param>
    public int TextCountOf(int client) => _entries[client].Texts;

    /// <summary>Reads one client's texts from the file. Thread-safe.</summary>
    /// <param name="client">Index in [0, Count).</param>
    /// <exception cref="DataFormatException">The file was changed since it was opened.</exception>
    public ImmutableArray<string> ReadTexts(int client)
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

    public void Dispose() => _handle.Dispose();

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

    private static List<Entry> Index(JsonTokenStream tokens, string path)
    {
        const string shape = "an object {\"client id\": [\"text\", ...], ...}";
        var entries = new List<Entry>();
        var byId = new Dictionary<string, int>(StringComparer.Ordinal);
        tokens.Read();
        if (tokens.Type != JsonTokenType.StartObject) throw tokens.Unexpected(shape);
        while (tokens.Read() && tokens.Type == JsonTokenType.PropertyName)
        {
            string id = tokens.Text();
            long line = tokens.Line;
            if (!byId.TryAdd(id, entries.Count))
            {
                throw new DataFormatException(path, line, "every client id once",
                    $"\"{id}\" a second time (first on line {entries[byId[id]].Line})");
            }
            entries.Add(ReadClient(tokens, path, id, line));
        }
        if (entries.Count == 0) throw new DataFormatException(path, tokens.Line, "at least one client", "an empty object");
        if (tokens.Read()) throw tokens.Unexpected("the end of the file");
        return entries;
    }

    private static Entry ReadClient(JsonTokenStream tokens, string path, string id, long line)
    {
        tokens.Read();
        if (tokens.Type != JsonTokenType.StartArray) throw tokens.Unexpected($"a list of texts for client \"{id}\"");
        long offset = tokens.TokenStart;
        int texts = 0;
        while (tokens.Read() && tokens.Type == JsonTokenType.String) texts++;
        if (tokens.Type != JsonTokenType.EndArray) throw tokens.Unexpected($"only strings in the list of client \"{id}\"");
        long length = tokens.TokenEnd - offset;
        return length <= Array.MaxLength
            ? new Entry(id, offset, (int)length, texts, line)
            : throw new DataFormatException(path, line, $"at most {Array.MaxLength} bytes of text for a client", $"{length} for \"{id}\"");
    }

    private readonly record struct Entry(string Id, long Offset, int Length, int Texts, long Line);
}
