using System.Text.Json;
using Chorus.Gpu.Models;
using static Chorus.Gpu.Checkpoints.ConfigJson;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>A Llama model's shape as transformers writes it in config.json.</summary>
internal static class LlamaConfigJson
{
    internal static void Write(string path, LlamaConfig config, ScalarType type, int? endToken) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        WriteArchitecture(json, "LlamaForCausalLM", "llama");
        json.WriteBoolean("attention_bias", config.AttentionBias);
        json.WriteNumber("attention_dropout", 0.0);
        WriteTokens(json, endToken);
        json.WriteString("dtype", TypeName(type));
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("max_position_embeddings", config.MaxLength);
        json.WriteBoolean("mlp_bias", config.MlpBias);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        json.WriteNumber("rms_norm_eps", config.NormEpsilon);
        WriteRope(json, "rope_parameters", config); // transformers 5
        if (config.RotaryScaling is null)
            json.WriteNull("rope_scaling");
        else
            WriteRope(json, "rope_scaling", config); // transformers 4
        json.WriteNumber("rope_theta", config.RopeTheta);
        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        json.WriteString("torch_dtype", TypeName(type));
        json.WriteBoolean("use_cache", true);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteEndObject();
    });

    /// <exception cref="InvalidDataException">A key is missing or wrong, or the model is one that this program does not compute.</exception>
    internal static LlamaConfig Read(string path) => ConfigJson.Read(path, "Llama", root =>
    {
        if (Given(root, "hidden_act") && root.GetProperty("hidden_act").GetString() is not ("silu" or "swish"))
            throw new InvalidDataException($"hidden_act must be silu, found {root.GetProperty("hidden_act")}");
        int heads = Integer(root, "num_attention_heads"), hidden = Integer(root, "hidden_size"), length = Integer(root, "max_position_embeddings", 2048);
        var (theta, scaling) = Rope(root, length);
        var config = new LlamaConfig
        {
            VocabularySize = Integer(root, "vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = Integer(root, "intermediate_size"),
            Layers = Integer(root, "num_hidden_layers"),
            Heads = heads,
            KeyValueHeads = Integer(root, "num_key_value_heads", heads),
            HeadSize = Given(root, "head_dim") ? Integer(root, "head_dim") : hidden / Math.Max(1, heads),
            RopeTheta = theta,
            RotaryScaling = scaling,
            NormEpsilon = Number(root, "rms_norm_eps", 1e-6),
            TieEmbeddings = Flag(root, "tie_word_embeddings", false),
            AttentionBias = Flag(root, "attention_bias", false),
            MlpBias = Flag(root, "mlp_bias", false),
            MaxLength = length,
        };
        config.Validate();
        return config;
    });

    // transformers 5 keeps all in rope_parameters; before, rope_theta stood at the top and rope_scaling held the rest, or null.
    private static (double Theta, RotaryScaling? Scaling) Rope(JsonElement root, int length)
    {
        double theta = Number(root, "rope_theta", 10_000);
        foreach (var name in new[] { "rope_parameters", "rope_scaling" })
        {
            if (!Given(root, name))
                continue;
            var rope = root.GetProperty(name);
            theta = Number(rope, "rope_theta", theta);
            if (Number(rope, "partial_rotary_factor", 1) != 1)
                throw new InvalidDataException($"{name}.partial_rotary_factor must be 1, found {rope.GetProperty("partial_rotary_factor")}: heads that turn in part are not computed here");
            var type = Given(rope, "rope_type") ? rope.GetProperty("rope_type").GetString() : Given(rope, "type") ? rope.GetProperty("type").GetString() : "default";
            return (theta, type switch
            {
                "default" => null,
                "linear" => new LinearRotaryScaling(Number(rope, "factor")),
                "llama3" => new Llama3RotaryScaling(
                    Number(rope, "factor"), Number(rope, "low_freq_factor"), Number(rope, "high_freq_factor"),
                    Number(rope, "original_max_position_embeddings", Number(root, "original_max_position_embeddings", length))),
                _ => throw new InvalidDataException($"{name}.rope_type must be default, linear or llama3, found {type}: other scalings of rotary positions are not computed here"),
            });
        }
        return (theta, null);
    }

    private static void WriteRope(Utf8JsonWriter json, string name, LlamaConfig config)
    {
        json.WriteStartObject(name);
        json.WriteNumber("rope_theta", config.RopeTheta);
        json.WriteString("rope_type", config.RotaryScaling switch { null => "default", LinearRotaryScaling => "linear", _ => "llama3" });
        if (config.RotaryScaling is { } scaling)
            json.WriteNumber("factor", scaling.Factor);
        if (config.RotaryScaling is Llama3RotaryScaling llama3)
        {
            json.WriteNumber("low_freq_factor", llama3.LowFrequencyFactor);
            json.WriteNumber("high_freq_factor", llama3.HighFrequencyFactor);
            json.WriteNumber("original_max_position_embeddings", (long)llama3.OriginalLength);
        }
        json.WriteEndObject();
    }
}
