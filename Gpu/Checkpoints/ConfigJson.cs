using System.Text.Json;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>What readers and writers of config.json share.</summary>
internal static class ConfigJson
{
    /// <exception cref="InvalidDataException">No JSON; the message names the file.</exception>
    internal static JsonDocument Parse(string path)
    {
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: expected JSON; {e.Message}", e);
        }
    }

    /// <summary>model_type, or "nothing".</summary>
    internal static string Family(string path)
    {
        using var json = Parse(path);
        return json.RootElement.ValueKind == JsonValueKind.Object && Given(json.RootElement, "model_type") ? json.RootElement.GetProperty("model_type").ToString() : "nothing";
    }

    /// <summary>Reads by <paramref name="read"/> and names the file and the model in whatever goes wrong.</summary>
    internal static T Read<T>(string path, string model, Func<JsonElement, T> read)
    {
        using var json = Parse(path);
        try
        {
            return read(json.RootElement);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or InvalidDataException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: expected the configuration of a {model} model; {e.Message}", e);
        }
    }

    internal static bool Given(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    internal static int Integer(JsonElement root, string name, int? otherwise = null) => Given(root, name)
        ? root.GetProperty(name).GetInt32() : otherwise ?? throw new InvalidDataException($"{name} is missing");

    internal static double Number(JsonElement root, string name, double? otherwise = null) => Given(root, name)
        ? root.GetProperty(name).GetDouble() : otherwise ?? throw new InvalidDataException($"{name} is missing");

    internal static bool Flag(JsonElement root, string name, bool otherwise) => Given(root, name) ? root.GetProperty(name).GetBoolean() : otherwise;

    /// <summary>Refuses a flag that would change what the model computes.</summary>
    internal static void Require(JsonElement root, string name, bool wanted, string why)
    {
        if (Flag(root, name, wanted) != wanted)
            throw new InvalidDataException($"{name} must be {(wanted ? "true" : "false")}: {why}");
    }

    /// <summary>The name of a type in Hugging Face's files.</summary>
    internal static string TypeName(ScalarType type) => type switch
    {
        ScalarType.BFloat16 => "bfloat16",
        ScalarType.Float16 => "float16",
        ScalarType.Float64 => "float64",
        _ => "float32",
    };

    internal static void WriteTokens(Utf8JsonWriter json, int? endToken)
    {
        foreach (var name in new[] { "bos_token_id", "eos_token_id", "pad_token_id" })
        {
            if (endToken is { } end)
                json.WriteNumber(name, end);
            else
                json.WriteNull(name); // left out, transformers would put its own there
        }
    }

    internal static void WriteArchitecture(Utf8JsonWriter json, string name, string family)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteString("model_type", family);
    }
}
