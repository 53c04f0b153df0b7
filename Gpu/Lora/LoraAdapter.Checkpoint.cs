using System.Text.Json;
using System.Text.Json.Nodes;
using Chorus.Gpu.Checkpoints;
using static TorchSharp.torch;

namespace Chorus.Gpu.Lora;

/// <summary>Saving and loading in PEFT's layout: adapter_config.json and adapter_model.safetensors.</summary>
public sealed partial class LoraAdapter
{
    private const string ConfigFile = "adapter_config.json";
    private const string WeightsFile = "adapter_model.safetensors";
    private const string Prefix = "base_model.model.";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    // What changes an adapter's arithmetic in a way that is not computed here, with the value that switches it off.
    private static readonly (string Name, string Off)[] Unsupported =
    [
        ("use_dora", "false"), ("lora_bias", "false"), ("use_qalora", "false"), ("use_bdlora", "false"),
        ("modules_to_save", "null"), ("exclude_modules", "null"), ("layers_to_transform", "null"), ("layers_pattern", "null"), ("layer_replication", "null"),
        ("trainable_token_indices", "null"), ("target_parameters", "null"), ("alora_invocation_tokens", "null"), ("arrow_config", "null"),
        ("kasa_config", "null"), ("velora_config", "null"), ("monteclora_config", "null"), ("rank_pattern", "{}"), ("alpha_pattern", "{}"), ("loftq_config", "{}"),
    ];

    /// <summary>Writes the adapter so that PEFT reads it on the same base model; the folder is made when it is not there.</summary>
    public void Save(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        Directory.CreateDirectory(directory);
        using var scope = NewDisposeScope();
        SafeTensors.Write(
            Path.Combine(directory, WeightsFile),
            NamedParameters.ToDictionary(p => Prefix + p.Name, p => p.Parameter.detach()),
            new Dictionary<string, string> { ["format"] = "pt" });
        var config = new JsonObject
        {
            ["base_model_name_or_path"] = null,
            ["bias"] = "none",
            ["fan_in_fan_out"] = _model.FanInFanOut,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["lora_alpha"] = Settings.Alpha == Math.Truncate(Settings.Alpha) ? JsonValue.Create((long)Settings.Alpha) : JsonValue.Create(Settings.Alpha),
            ["lora_dropout"] = Settings.Dropout,
            ["peft_type"] = "LORA",
            ["r"] = Settings.Rank,
            ["target_modules"] = Settings.TargetPattern is { } pattern
                ? JsonValue.Create(pattern)
                : new JsonArray([.. Settings.TargetModules.Select(name => (JsonNode)JsonValue.Create(name)!)]),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = false,
            ["use_rslora"] = Settings.RankStabilised,
        };
        AtomicFile.Write(Path.Combine(directory, ConfigFile), stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            writer.Write(config.ToJsonString(Indented) + "\n");
        });
    }

    /// <summary>Takes over the weights of a saved adapter of the same settings and shapes.</summary>
    /// <exception cref="InvalidDataException">The saved adapter is of another kind, rank, scale, or set of projections, or a tensor is missing or of another shape; the message names it.</exception>
    public void Load(string directory)
    {
        RequireUnmerged();
        var saved = ReadSettings(directory);
        if (saved.Rank != Settings.Rank || saved.Scale != Settings.Scale)
        {
            throw new InvalidDataException(
                $"{directory}: expected an adapter of {Describe(Settings)}, found one of {Describe(saved)}");
        }
        string path = Path.Combine(directory, WeightsFile);
        if (!File.Exists(path))
            throw new InvalidDataException($"{path}: expected an adapter's weights, found no such file");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var file = SafeTensorsFile.Open(path);
        var entries = file.Header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        foreach (var (name, parameter) in NamedParameters)
        {
            if (!entries.TryGetValue(Prefix + name, out var entry))
                throw new InvalidDataException($"{path}: expected {Prefix + name}, found none; is this an adapter of another model?");
            if (!entry.Shape.AsSpan().SequenceEqual(parameter.shape))
            {
                throw new InvalidDataException(
                    $"{path}: {Prefix + name}: expected [{string.Join(", ", parameter.shape)}], found [{string.Join(", ", entry.Shape)}]");
            }
        }
        if (entries.Keys.Except(NamedParameters.Select(p => Prefix + p.Name)).Order(StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            throw new InvalidDataException($"{path}: tensor {unknown} has no place in this adapter of {Describe(Settings)}");
        foreach (var (name, parameter) in NamedParameters)
            file.CopyTo(entries[Prefix + name], parameter);
    }

    /// <summary>The settings of an adapter saved in PEFT's layout.</summary>
    /// <exception cref="InvalidDataException">It is of a kind that is not computed here (DoRA, biases, per-layer ranks, further modules), or a field is missing; the message names it.</exception>
    public static LoraSettings ReadSettings(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        string path = Path.Combine(directory, ConfigFile);
        if (!File.Exists(path))
            throw new InvalidDataException($"{path}: expected an adapter's configuration, found no such file");
        using var document = ConfigJson.Parse(path);
        var root = document.RootElement;
        Refuse(root, path, "peft_type", e => e.GetString() == "LORA", "\"LORA\"");
        Refuse(root, path, "bias", e => e.GetString() == "none", "\"none\"");
        // Those that start from parts of the base weights (PiSSA, OLoRA, ...) change the base model as well.
        Refuse(root, path, "init_lora_weights", e => e.ValueKind != JsonValueKind.String || e.GetString() is "gaussian" or "eva" or "orthogonal", "true or false");
        foreach (var (name, off) in Unsupported)
            Refuse(root, path, name, e => IsOff(e), off);
        if (!root.TryGetProperty("r", out var rank) || !root.TryGetProperty("lora_alpha", out var alpha))
            throw new InvalidDataException($"{path}: expected r and lora_alpha, found {(rank.ValueKind == JsonValueKind.Undefined ? "no r" : "no lora_alpha")}");
        if (!root.TryGetProperty("target_modules", out var targets) || targets.ValueKind is not (JsonValueKind.Array or JsonValueKind.String))
            throw new InvalidDataException($"{path}: target_modules: expected a list of layers, a pattern or \"{LoraSettings.AllLinear}\", found {targets.ValueKind}");
        try
        {
            var settings = new LoraSettings
            {
                Rank = rank.GetInt32(),
                Alpha = alpha.GetDouble(),
                RankStabilised = ConfigJson.Flag(root, "use_rslora", false),
                Dropout = ConfigJson.Number(root, "lora_dropout", 0),
            };
            if (targets.ValueKind == JsonValueKind.String)
                return settings with { TargetPattern = targets.GetString() };
            // PEFT writes a set, whose order differs from run to run: ours is that of the forward pass, then of the alphabet.
            return settings with
            {
                TargetModules = [.. targets.EnumerateArray().Select(e => e.GetString() ?? "").Distinct()
                    .OrderBy(n => LoraSettings.AllProjections.IndexOf(n) is var at && at < 0 ? int.MaxValue : at).ThenBy(n => n, StringComparer.Ordinal)],
            };
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };

    private static void Refuse(JsonElement root, string path, string name, Func<JsonElement, bool> fits, string expected)
    {
        if (root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null && !fits(value))
            throw new InvalidDataException($"{path}: {name}: expected {expected}, found {value.GetRawText()}");
    }

    private static string Describe(LoraSettings s) =>
        $"rank {s.Rank}, alpha {s.Alpha}{(s.RankStabilised ? " (rank-stabilised)" : "")}, {s.TargetPattern ?? string.Join(" ", s.TargetModules.Order(StringComparer.Ordinal))}";
}
