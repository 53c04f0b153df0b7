using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Chorus.Simulation.Data.Import;

/// <summary>A JSON file that is a list of objects, read token by token. Its columns are the names in the first of them.</summary>
internal sealed class JsonRecords : RecordFile
{
    private const string Shape = "a list of records [{\"column\": \"value\", ...}, ...]";

    private JsonRecords(string path, IReadOnlyList<string> columns) : base(path) => Columns = columns;

    public override IReadOnlyList<string> Columns { get; }

    public static JsonRecords Open(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        using var tokens = new JsonTokenStream(file, path);
        var columns = new List<string>();
        Begin(tokens);
        if (ReadRecord(tokens, (name, _) => columns.Add(name))) return new JsonRecords(path, columns);
        throw tokens.Unexpected("at least one record");
    }

    public override async IAsyncEnumerable<string?[]> ReadAsync(IReadOnlyList<string> columns, [EnumeratorCancellation] CancellationToken ct)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        using SafeFileHandle file = File.OpenHandle(FilePath);
        using var tokens = new JsonTokenStream(file, FilePath);
        Dictionary<string, int> at = columns.Index().ToDictionary(c => c.Item, c => c.Index, StringComparer.Ordinal);
        Begin(tokens);
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            var row = new string?[columns.Count];
            if (!ReadRecord(tokens, (name, value) =>
            {
                if (at.TryGetValue(name, out int column)) row[column] = value;
            }))
            {
                break;
            }
            yield return row;
        }
        if (tokens.Read()) throw tokens.Unexpected("the end of the file");
    }

    private static void Begin(JsonTokenStream tokens)
    {
        tokens.Read();
        if (tokens.Type != JsonTokenType.StartArray) throw tokens.Unexpected(Shape);
    }

    /// <summary>Takes one record; false at the end of the list. What is no text is null: lists and objects are passed over.</summary>
    private static bool ReadRecord(JsonTokenStream tokens, Action<string, string?> value)
    {
        tokens.Read();
        if (tokens.Type == JsonTokenType.EndArray) return false;
        if (tokens.Type != JsonTokenType.StartObject) throw tokens.Unexpected(Shape);
        while (tokens.Read() && tokens.Type == JsonTokenType.PropertyName)
        {
            string name = tokens.Text();
            tokens.Read();
            value(name, tokens.Type is JsonTokenType.String or JsonTokenType.Number ? tokens.Text() : null);
            for (int depth = Opens(tokens.Type); depth > 0; depth += Opens(tokens.Type)) tokens.Read();
        }
        return true;
    }

    private static int Opens(JsonTokenType type) => type switch
    {
        JsonTokenType.StartArray or JsonTokenType.StartObject => 1,
        JsonTokenType.EndArray or JsonTokenType.EndObject => -1,
        _ => 0,
    };
}
