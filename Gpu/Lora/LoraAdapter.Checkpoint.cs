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
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["lora_alpha"] = Settings.Alpha == Math.Truncate(Settings.Alpha) ? JsonValue.Create((long)Settings.Alpha) : JsonValue.Create(Settings.Alpha),
            ["lora_dropout"] = 0.0,
            ["peft_type"] = "LORA",
            ["r"] = Settings.Rank,
            ["target_modules"] = new JsonArray([.. Settings.TargetModules.Select(name => (JsonNode)JsonValue.Create(name)!)]),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = false,
            ["use_rslora"] = false,
        };
        string path = Path.Combine(directory, ConfigFile), temporary = path + ".tmp";
        File.WriteAllText(temporary, config.ToJsonString(Indented) + "\n");
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Takes over the weights of a saved adapter of the same settings and shapes.</summary>
    /// <exception cref="InvalidDataException">The saved adapter is of another kind, rank, scale, or set of projections, or a tensor is missing or of another shape.</exception>
    public void Load(string directory)
    {
        var saved = ReadSettings(directory);
        if (saved.Rank != Settings.Rank || saved.Alpha != Settings.Alpha || !saved.TargetModules.ToHashSet().SetEquals(Settings.TargetModules))
        {
            throw new InvalidDataException(
                $"{directory}: expected an adapter of {Describe(Settings)}, found one of {Describe(saved)}");
        }
        string path = Path.Combine(directory, WeightsFile);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var tensors = SafeTensors.Read(path, CPU);
        try
        {
            foreach (var (name, parameter) in NamedParameters)
            {
                if (!tensors.TryGetValue(Prefix + name, out var values))
                    throw new InvalidDataException($"{path}: expected {Prefix + name}, found none; is this an adapter of another model?");
                if (!values.shape.AsSpan().SequenceEqual(parameter.shape))
                {
                    throw new InvalidDataException(
                        $"{path}: {Prefix + name}: expected [{string.Join(", ", parameter.shape)}], found [{string.Join(", ", values.shape)}]");
                }
            }
            if (tensors.Count != NamedParameters.Count)
                throw new InvalidDataException($"{path}: expected {NamedParameters.Count} tensors, found {tensors.Count}");
            foreach (var (name, parameter) in NamedParameters)
                parameter.copy_(tensors[Prefix + name]);
        }
        finally
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
        }
    }

    /// <summary>The settings of an adapter saved in PEFT's layout.</summary>
    /// <exception cref="InvalidDataException">It is no plain LoRA adapter (DoRA, rank-stabilised, biases, per-layer ranks), or a field is missing.</exception>
    public static LoraSettings ReadSettings(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        string path = Path.Combine(directory, ConfigFile);
        if (!File.Exists(path))
            throw new InvalidDataException($"{path}: expected an adapter's configuration, found no such file");
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = document.RootElement;
        Refuse(root, path, "peft_type", e => e.GetString() == "LORA", "\"LORA\"");
        Refuse(root, path, "bias", e => e.GetString() == "none", "\"none\"");
        foreach (string flag in (string[])["use_dora", "use_rslora", "lora_bias", "fan_in_fan_out"])
            Refuse(root, path, flag, e => e.ValueKind == JsonValueKind.False, "false");
        foreach (string pattern in (string[])["rank_pattern", "alpha_pattern"])
            Refuse(root, path, pattern, e => !e.EnumerateObject().Any(), "{}");
        if (!root.TryGetProperty("r", out var rank) || !root.TryGetProperty("lora_alpha", out var alpha))
            throw new InvalidDataException($"{path}: expected r and lora_alpha, found {(rank.ValueKind == JsonValueKind.Undefined ? "no r" : "no lora_alpha")}");
        if (!root.TryGetProperty("target_modules", out var targets) || targets.ValueKind != JsonValueKind.Array)
            throw new InvalidDataException($"{path}: target_modules: expected a list of projections, found {targets.ValueKind}");
        var named = targets.EnumerateArray().Select(e => e.GetString() ?? "").ToHashSet();
        if (named.Except(LoraSettings.AllProjections).FirstOrDefault() is { } unknown)
            throw new InvalidDataException($"{path}: target_modules: expected any of {string.Join(", ", LoraSettings.AllProjections)}, found {unknown}");
        // PEFT writes a set, whose order differs from run to run: ours is that of the forward pass.
        return new LoraSettings { Rank = rank.GetInt32(), Alpha = alpha.GetDouble(), TargetModules = [.. LoraSettings.AllProjections.Where(named.Contains)] };
    }

    private static void Refuse(JsonElement root, string path, string name, Func<JsonElement, bool> fits, string expected)
    {
        if (root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null && !fits(value))
            throw new InvalidDataException($"{path}: {name}: expected {expected}, found {value.GetRawText()}");
    }

    private static string Describe(LoraSettings s) => $"rank {s.Rank}, alpha {s.Alpha}, {string.Join(" ", s.TargetModules.Order(StringComparer.Ordinal))}";
}
