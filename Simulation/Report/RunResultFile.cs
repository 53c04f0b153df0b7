using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Chorus.Simulation.Data;

namespace Chorus.Simulation.Report;

/// <summary>Reads and writes <c>result.json</c>.</summary>
/// <remarks>An infinite epsilon is written as the string "Infinity", which JSON's numbers cannot say.</remarks>
public static class RunResultFile
{
    private static readonly RunResultJson Json = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,   // a file of its own, never inside a page
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    });

    /// <returns>Indented JSON that ends with a newline.</returns>
    public static string ToJson(RunResult result) => JsonSerializer.Serialize(result, Json.RunResult) + "\n";

    /// <param name="json">What <see cref="ToJson"/> gave; fields it does not know are left out.</param>
    /// <param name="path">The file's name, for messages.</param>
    /// <exception cref="DataFormatException">No JSON, a field missing or of another kind, or another schema.</exception>
    public static RunResult FromJson(string json, string path = "result.json")
    {
        RunResult? result;
        try
        {
            result = JsonSerializer.Deserialize(Today(json), Json.RunResult);
        }
        catch (JsonException e)
        {
            throw new DataFormatException(path, e.LineNumber + 1, "a run's result", $"an error: {e.Message}", e);
        }
        return result?.Schema == RunResult.CurrentSchema
            ? result
            : throw new DataFormatException(path, null, $"schema {RunResult.CurrentSchema}", result?.Schema ?? "null");
    }

    /// <summary>Schema 1 knew one method, and called its accuracy by that name.</summary>
    private static JsonNode? Today(string json)
    {
        var node = JsonNode.Parse(json);
        if (node is not JsonObject run || (string?)run["schema"] != "chorus.result/1")
            return node;
        run["schema"] = RunResult.CurrentSchema;
        if (run["accuracy"] is JsonObject accuracy && accuracy.Remove("popri", out var popri))
            accuracy["method"] = popri;
        return node;
    }

    /// <summary>Writes the file whole or not at all: to a temporary name first, then renamed.</summary>
    public static void Write(RunResult result, string path) => WriteWhole(path, ToJson(result));

    /// <exception cref="DataFormatException">As <see cref="FromJson"/>.</exception>
    public static RunResult Read(string path) => FromJson(File.ReadAllText(path), path);

    internal static void WriteWhole(string path, string content)
    {
        string temporary = $"{path}.{Path.GetRandomFileName()}.tmp";
        try
        {
            File.WriteAllText(temporary, content);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}

[JsonSerializable(typeof(RunResult))]
internal sealed partial class RunResultJson : JsonSerializerContext;
