using System.Text.Json;

namespace Chorus.Gpu.Encoders;

/// <summary>How a text's token vectors become one.</summary>
public enum Pooling
{
    /// <summary>The first token's vector.</summary>
    Cls,

    /// <summary>The largest value of each coordinate.</summary>
    Max,

    /// <summary>The mean.</summary>
    Mean,

    /// <summary>The sum over the square root of the number of tokens.</summary>
    MeanSqrtLength,
}

/// <summary>What sentence-transformers does with a text, as modules.json and the folders that it names tell it.</summary>
/// <param name="Transformer">The folder of the model and its tokenizer.</param>
/// <param name="MaxTokens">Texts are cut to so many tokens, special ones included; null is as many as the model reads.</param>
/// <param name="LowerCase">Texts are lower-cased before they are split.</param>
/// <param name="Prompt">Put before every text.</param>
/// <param name="Poolings">Their vectors are joined in this order.</param>
/// <param name="Dense">Folders of linear layers after the pooling, in order.</param>
/// <param name="Normalizes">The result is scaled to L2 norm 1.</param>
/// <param name="Folders">The folders of all modules.</param>
public sealed record SentencePipeline(
    string Transformer, int? MaxTokens, bool LowerCase, string Prompt, IReadOnlyList<Pooling> Poolings, IReadOnlyList<string> Dense, bool Normalizes,
    IReadOnlyList<string> Folders)
{
    // Of older and newer files, in the order in which sentence-transformers joins them.
    private static readonly (string Flag, string Mode, Pooling Pooling)[] Known =
    [
        ("pooling_mode_cls_token", "cls", Pooling.Cls), ("pooling_mode_max_tokens", "max", Pooling.Max),
        ("pooling_mode_mean_tokens", "mean", Pooling.Mean), ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooling.MeanSqrtLength),
    ];

    /// <summary>Reads the pipeline of a folder. Without modules.json it is a plain model: mean pooling, no normalisation, as sentence-transformers takes it.</summary>
    /// <exception cref="InvalidDataException">A module or pooling that is not supported, or a damaged file; the message names it.</exception>
    public static SentencePipeline Read(string directory)
    {
        if (!Directory.Exists(directory))
            throw new InvalidDataException($"{directory}: there is no such folder; a sentence encoder was looked for in it");
        var modules = Path.Combine(directory, "modules.json");
        var pipeline = new SentencePipeline(directory, null, false, Prompt: "", [Pooling.Mean], [], false, [directory]);
        if (File.Exists(modules))
            pipeline = Parse(modules, root => root.EnumerateArray().Aggregate(pipeline with { Poolings = [] }, (p, module) => p.With(module, directory)));
        if (pipeline.Poolings.Count == 0)
            throw new InvalidDataException($"{modules}: a sentence encoder needs a Pooling module");
        var transformer = Path.Combine(pipeline.Transformer, "sentence_bert_config.json");
        if (File.Exists(transformer))
        {
            pipeline = Parse(transformer, root => pipeline with
            {
                MaxTokens = Number(root, "max_seq_length"),
                LowerCase = Flag(root, "do_lower_case"),
            });
        }
        if (pipeline.MaxTokens is null && File.Exists(Path.Combine(pipeline.Transformer, "tokenizer_config.json")))
            pipeline = Parse(Path.Combine(pipeline.Transformer, "tokenizer_config.json"), root => pipeline with { MaxTokens = Number(root, "model_max_length") });
        var config = Path.Combine(directory, "config_sentence_transformers.json");
        return File.Exists(config) ? Parse(config, root => pipeline with { Prompt = DefaultPrompt(root) }) : pipeline;
    }

    private SentencePipeline With(JsonElement module, string directory)
    {
        var type = module.GetProperty("type").GetString() ?? "";
        var folder = Path.Combine(directory, module.GetProperty("path").GetString() ?? "");
        var with = this with { Folders = [.. Folders, folder] };
        // sentence-transformers has moved its modules between releases; the last part of the name stayed.
        return type[(type.LastIndexOf('.') + 1)..] switch
        {
            "Transformer" => with with { Transformer = folder },
            "Pooling" => with with { Poolings = ReadPoolings(Path.Combine(folder, "config.json")) },
            "Dense" => Normalizes ? throw new InvalidDataException("a Dense module after Normalize is not supported") : with with { Dense = [.. Dense, folder] },
            "Normalize" => with with { Normalizes = true },
            "Dropout" => with, // does nothing outside training
            _ => throw new InvalidDataException($"module {type} is not supported; known are Transformer, Pooling, Dense, Normalize"),
        };
    }

    private static Pooling[] ReadPoolings(string path) => Parse<Pooling[]>(path, root =>
    {
        if (root.TryGetProperty("include_prompt", out var include) && include.ValueKind == JsonValueKind.False)
            throw new InvalidDataException("include_prompt must be true: leaving the prompt's tokens out of the pooling is not supported");
        if (root.TryGetProperty("pooling_mode", out var modes) && modes.ValueKind is JsonValueKind.String or JsonValueKind.Array)
        {
            var named = modes.ValueKind == JsonValueKind.Array ? modes.EnumerateArray().Select(m => m.GetString()).ToArray() : [modes.GetString()];
            return Array.Find(named, n => Array.TrueForAll(Known, k => k.Mode != n)) is { } other
                ? throw new InvalidDataException($"pooling_mode {other} is not supported; known are {string.Join(", ", Known.Select(k => k.Mode))}")
                : [.. Known.Where(k => named.Contains(k.Mode)).Select(k => k.Pooling)];
        }
        var on = root.EnumerateObject().Where(p => p.Name.StartsWith("pooling_mode_", StringComparison.Ordinal) && p.Value.ValueKind == JsonValueKind.True).Select(p => p.Name).ToArray();
        if (Array.Find(on, name => Array.TrueForAll(Known, k => k.Flag != name)) is { } unknown)
            throw new InvalidDataException($"{unknown} is not supported; known are {string.Join(", ", Known.Select(k => k.Flag))}");
        return on.Length == 0 ? throw new InvalidDataException("no pooling mode is on") : [.. Known.Where(k => on.Contains(k.Flag)).Select(k => k.Pooling)];
    });

    private static string DefaultPrompt(JsonElement root) =>
        root.TryGetProperty("default_prompt_name", out var name) && name.ValueKind == JsonValueKind.String
            ? root.GetProperty("prompts").GetProperty(name.GetString()!).GetString() ?? ""
            : "";

    // transformers writes 10^30 for "as long as you like".
    private static int? Number(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number > 0 ? number : null;

    private static bool Flag(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    internal static T Parse<T>(string path, Func<JsonElement, T> read)
    {
        if (!File.Exists(path))
            throw new InvalidDataException($"{path} is missing");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            return read(json.RootElement);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
            || (e is InvalidDataException && !e.Message.StartsWith(Path.GetDirectoryName(path)!, StringComparison.Ordinal)))
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }
}
