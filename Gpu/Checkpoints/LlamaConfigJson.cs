using System.Text.Json;
using Chorus.Gpu.Models;

namespace Chorus.Gpu.Checkpoints;

/// <summary>A Llama model's shape as transformers writes it in config.json.</summary>
internal static class LlamaConfigJson
{
    internal static void Write(string path, LlamaConfig config, int? endToken) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue("LlamaForCausalLM");
        json.WriteEndArray();
        json.WriteBoolean("attention_bias", false);
        json.WriteNumber("attention_dropout", 0.0);
        foreach (var name in new[] { "bos_token_id", "eos_token_id", "pad_token_id" })
        {
            if (endToken is { } end)
                json.WriteNumber(name, end);
            else
                json.WriteNull(name); // left out, transformers would put its own 1 and 2 there
        }
        json.WriteString("dtype", "float32");
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("max_position_embeddings", config.MaxLength);
        json.WriteBoolean("mlp_bias", false);
        json.WriteString("model_type", "llama");
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        json.WriteNumber("rms_norm_eps", config.NormEpsilon);
        json.WriteStartObject("rope_parameters"); // transformers 5
        json.WriteNumber("rope_theta", config.RopeTheta);
        json.WriteString("rope_type", "default");
        json.WriteEndObject();
        json.WriteNumber("rope_theta", config.RopeTheta); // transformers 4
        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        json.WriteString("torch_dtype", "float32");
        json.WriteBoolean("use_cache", true);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteEndObject();
    });

    /// <exception cref="InvalidDataException">A key is missing or wrong, or the model is one that this program does not compute.</exception>
    internal static LlamaConfig Read(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = json.RootElement;
            Require(root, "model_type", "llama");
            Require(root, "hidden_act", "silu");
            foreach (var name in new[] { "attention_bias", "mlp_bias" })
            {
                if (root.TryGetProperty(name, out var bias) && bias.ValueKind == JsonValueKind.True)
                    throw new InvalidDataException($"{name} must be false: projections with biases are not computed here");
            }
            int heads = Integer(root, "num_attention_heads"), hidden = Integer(root, "hidden_size");
            var config = new LlamaConfig
            {
                VocabularySize = Integer(root, "vocab_size"),
                HiddenSize = hidden,
                IntermediateSize = Integer(root, "intermediate_size"),
                Layers = Integer(root, "num_hidden_layers"),
                Heads = heads,
                KeyValueHeads = Given(root, "num_key_value_heads") ? Integer(root, "num_key_value_heads") : heads,
                HeadSize = Given(root, "head_dim") ? Integer(root, "head_dim") : hidden / heads,
                RopeTheta = RopeTheta(root),
                NormEpsilon = root.GetProperty("rms_norm_eps").GetDouble(),
                TieEmbeddings = root.TryGetProperty("tie_word_embeddings", out var tie) && tie.GetBoolean(),
                MaxLength = Integer(root, "max_position_embeddings"),
            };
            config.Validate();
            return config;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or InvalidDataException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: expected the config.json of a Llama model; {e.Message}", e);
        }
    }

    // Transformers 5 keeps it in rope_parameters; older checkpoints have rope_theta, and scaling in rope_scaling, at the top.
    private static double RopeTheta(JsonElement root)
    {
        foreach (var name in new[] { "rope_parameters", "rope_scaling" })
        {
            if (!Given(root, name))
                continue;
            var rope = root.GetProperty(name);
            foreach (var key in new[] { "rope_type", "type" })
            {
                if (rope.TryGetProperty(key, out var type) && type.GetString() != "default")
                    throw new InvalidDataException($"{name}.{key} must be default, found {type.GetString()}: scaled rotary positions are not computed here");
            }
            if (rope.TryGetProperty("rope_theta", out var theta))
                return theta.GetDouble();
        }
        return root.TryGetProperty("rope_theta", out var top) ? top.GetDouble() : 10_000;
    }

    private static bool Given(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    private static int Integer(JsonElement root, string name) => Given(root, name)
        ? root.GetProperty(name).GetInt32() : throw new InvalidDataException($"{name} is missing");

    private static void Require(JsonElement root, string name, string value)
    {
        if (!root.TryGetProperty(name, out var found) || found.GetString() != value)
            throw new InvalidDataException($"{name} must be {value}, found {(found.ValueKind == JsonValueKind.Undefined ? "nothing" : found.ToString())}");
    }
}
