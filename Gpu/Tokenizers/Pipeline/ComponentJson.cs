using System.Text.Json;

namespace Chorus.Gpu.Tokenizers.Pipeline;

/// <summary>
/// One object of a tokenizer.json and where it stands in the file, so that an error can name it. A property that is
/// missing takes the default of Hugging Face's tokenizers.
/// </summary>
internal readonly record struct ComponentJson(JsonElement Json, string At)
{
    internal string Type => Text("type") ?? throw Wrong("type must name the component");

    internal bool Has(string name) => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    internal string? Text(string name) => Read(name, v => v.GetString());

    internal string RequiredText(string name) => Text(name) ?? throw Wrong($"{name} is missing");

    internal bool Flag(string name, bool missing) => Has(name) ? Read(name, v => v.GetBoolean()) : missing;

    internal int Number(string name, int missing) => Has(name) ? Read(name, v => v.GetInt32()) : missing;

    /// <summary>A property that holds one character.</summary>
    internal string Character(string name, string missing)
    {
        var text = Text(name) ?? missing;
        return text.EnumerateRunes().Count() == 1 ? text : throw Wrong($"{name} must be one character, found \"{text}\"");
    }

    /// <summary>A component in a property; null where it is missing or null.</summary>
    internal ComponentJson? Child(string name) => Has(name) ? new ComponentJson(Json.GetProperty(name), $"{At}.{name}".TrimStart('.')) : null;

    internal ComponentJson RequiredChild(string name) => Child(name) ?? throw Wrong($"{name} is missing");

    internal IEnumerable<ComponentJson> Children(string name)
    {
        if (!Has(name))
            yield break;
        var at = $"{At}.{name}".TrimStart('.');
        var list = Json.GetProperty(name);
        if (list.ValueKind != JsonValueKind.Array)
            throw Wrong($"{name} must be a list");
        var i = 0;
        foreach (var item in list.EnumerateArray())
            yield return new ComponentJson(item, $"{at}[{i++}]");
    }

    /// <summary>A component of a kind that is not implemented.</summary>
    internal InvalidDataException Unsupported(params IEnumerable<string> known) =>
        Wrong($"{Type} is not supported; known are {string.Join(", ", known)}");

    internal InvalidDataException Wrong(string what) => new($"{(At.Length == 0 ? "the file" : At)}: {what}");

    private T? Read<T>(string name, Func<JsonElement, T> read)
    {
        if (!Has(name))
            return default;
        try
        {
            return read(Json.GetProperty(name));
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw Wrong($"{name} must be {typeof(T).Name}, found {Json.GetProperty(name).GetRawText()}");
        }
    }
}
