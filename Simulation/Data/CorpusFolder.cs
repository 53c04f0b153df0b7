using System.Text.Encodings.Web;
using System.Text.Json;

namespace Chorus.Simulation.Data;

/// <summary>A data folder in the making: it is written beside its place and takes its name when it is complete, or is gone.</summary>
internal sealed class CorpusFolder : IDisposable
{
    private readonly string _full;
    private readonly string _temporary;

    /// <param name="full">The full path of a folder that is empty or not there.</param>
    public CorpusFolder(string full)
    {
        _full = full;
        _temporary = $"{full}.{Path.GetRandomFileName()}.tmp";
        Directory.CreateDirectory(_temporary);
    }

    /// <summary>Where to write a file.</summary>
    public string In(string file) => Path.Combine(_temporary, file);

    /// <summary>Gives the folder its name.</summary>
    public void Complete()
    {
        if (Directory.Exists(_full) && !IsComplete(_full)) Directory.Delete(_full);
        try
        {
            Directory.Move(_temporary, _full);
        }
        catch (IOException) when (IsComplete(_full))
        {
            // Somebody else was quicker with the same bytes.
        }
    }

    public void Dispose()
    {
        if (Directory.Exists(_temporary)) Directory.Delete(_temporary, recursive: true);
    }

    /// <summary>Whether the folder has the three files of a corpus.</summary>
    public static bool IsComplete(string directory) =>
        new[] { FederatedCorpus.ClientsFile, FederatedCorpus.EvalFile, FederatedCorpus.InitialFile }.All(f => File.Exists(Path.Combine(directory, f)));

    /// <summary>Refuses a folder that holds anything, before any work is done.</summary>
    /// <returns>The folder's full path.</returns>
    /// <exception cref="DataFormatException">It is not empty, or is a file.</exception>
    public static string RequireNew(string directory)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        if (File.Exists(full))
            throw new DataFormatException(full, null, "an empty folder or none", "a file");
        return !Directory.Exists(full) || !Directory.EnumerateFileSystemEntries(full).Any()
            ? full
            : throw new DataFormatException(full, null, "an empty folder or none", "a folder with things in it");
    }

    /// <summary>Writes a list of texts.</summary>
    public static void WriteTexts(string path, IEnumerable<string> texts) => WriteJson(path, writer =>
    {
        writer.WriteStartArray();
        foreach (string text in texts) writer.WriteStringValue(text);
        writer.WriteEndArray();
    });

    /// <summary>Writes plain text a line: easy to look at, and no escape but those that JSON asks for.</summary>
    public static void WriteJson(string path, Action<Utf8JsonWriter> write)
    {
        using FileStream file = File.Create(path, bufferSize: 1 << 16);
        using (Utf8JsonWriter writer = Writer(file))
            write(writer);
        file.Write("\n"u8);
    }

    /// <summary>Writes a file of clients, <c>train_clients.json</c> or one of its shape; closed by disposal.</summary>
    public sealed class ClientsWriter : IDisposable
    {
        private const int ClientsAFlush = 256;

        private readonly FileStream _file;
        private readonly Utf8JsonWriter _writer;

        public ClientsWriter(string path)
        {
            _file = File.Create(path, bufferSize: 1 << 16);
            _writer = Writer(_file);
            _writer.WriteStartObject();
        }

        /// <summary>Clients written.</summary>
        public int Count { get; private set; }

        public void Write(string id, IEnumerable<string> texts)
        {
            string[] all = [.. texts];   // what fails, fails before the list is begun
            _writer.WriteStartArray(id);
            foreach (string text in all) _writer.WriteStringValue(text);
            _writer.WriteEndArray();
            if (++Count % ClientsAFlush == 0) _writer.Flush();
        }

        public void Dispose()
        {
            _writer.WriteEndObject();
            _writer.Dispose();
            _file.Write("\n"u8);
            _file.Dispose();
        }
    }

    private static Utf8JsonWriter Writer(Stream file) => new(file, new JsonWriterOptions
    {
        Indented = true,
        IndentSize = 0,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
