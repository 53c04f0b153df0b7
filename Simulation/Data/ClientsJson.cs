using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Chorus.Simulation.Data;

/// <summary>The one streaming pass over <c>train_clients.json</c>, an object {client id: [text, ...]}: checks it and tells what is in it.</summary>
internal static class ClientsJson
{
    /// <summary>Told of every client in the file's order: Begin, its texts, End.</summary>
    public interface ISink
    {
        void Begin(string id, long line);

        void Text(ReadOnlySpan<char> text);

        /// <param name="offset">Byte of the file at which the client's list begins.</param>
        /// <param name="length">Bytes of the list.</param>
        void End(long offset, int length);
    }

    /// <summary>Opens the file and keeps others from writing it, so that the file checked is the file read, even where another is renamed over it.</summary>
    /// <exception cref="DataFormatException">There is no such file.</exception>
    public static SafeFileHandle Open(string path) => File.Exists(path)
        ? File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.None)
        : throw new DataFormatException(path, null, "a file of clients' texts", "no such file");

    /// <exception cref="DataFormatException">No JSON or UTF-8, no clients, two clients of one id, or a client that is no list of strings.</exception>
    public static void Read(JsonTokenStream tokens, string path, ISink sink)
    {
        const string shape = "an object {\"client id\": [\"text\", ...], ...}";
        var lines = new Dictionary<UInt128, long>(); // by the hash of the id: a million ids as strings would be much of the memory of a run
        tokens.Read();
        if (tokens.Type != JsonTokenType.StartObject) throw tokens.Unexpected(shape);
        while (tokens.Read() && tokens.Type == JsonTokenType.PropertyName)
        {
            string id = tokens.Text();
            long line = tokens.Line;
            if (!lines.TryAdd(KeyOf(id), line))
                throw new DataFormatException(path, line, "every client id once", $"\"{id}\" a second time (first on line {lines[KeyOf(id)]})");
            sink.Begin(id, line);
            ReadClient(tokens, path, id, line, sink);
        }

        if (lines.Count == 0) throw new DataFormatException(path, tokens.Line, "at least one client", "an empty object");
        if (tokens.Read()) throw tokens.Unexpected("the end of the file");
    }

    private static void ReadClient(JsonTokenStream tokens, string path, string id, long line, ISink sink)
    {
        tokens.Read();
        if (tokens.Type != JsonTokenType.StartArray) throw tokens.Unexpected($"a list of texts for client \"{id}\"");
        long offset = tokens.TokenStart;
        while (tokens.Read() && tokens.Type == JsonTokenType.String) sink.Text(tokens.Characters);
        if (tokens.Type != JsonTokenType.EndArray) throw tokens.Unexpected($"only strings in the list of client \"{id}\"");
        long length = tokens.TokenEnd - offset;
        if (length > Array.MaxLength)
            throw new DataFormatException(path, line, $"at most {Array.MaxLength} bytes of text for a client", $"{length} for \"{id}\"");
        sink.End(offset, (int)length);
    }

    private static UInt128 KeyOf(string id)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(id), hash);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
