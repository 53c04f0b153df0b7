using System.Text.Json;
using Chorus.Gpu.Models;
using static Chorus.Gpu.Checkpoints.ConfigJson;
using static TorchSharp.torch;

namespace Chorus.Gpu.Checkpoints;

/// <summary>A GPT-2 model's shape as transformers writes it in config.json.</summary>
internal static class Gpt2ConfigJson
{
    internal static void Write(string path, Gpt2Config config, ScalarType type, int? endToken) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        WriteArchitecture(json, "GPT2LMHeadModel", "gpt2");
        json.WriteString("activation_function", config.Activation switch
        {
            Gpt2Activation.Gelu => "gelu",
            Gpt2Activation.Relu => "relu",
            Gpt2Activation.Silu => "silu",
            _ => "gelu_new",
        });
        WriteTokens(json, endToken);
        json.WriteString("dtype", TypeName(type));
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("layer_norm_epsilon", config.NormEpsilon);
        json.WriteNumber("n_embd", config.HiddenSize);
        json.WriteNumber("n_head", config.Heads);
        json.WriteNumber("n_inner", config.IntermediateSize);
        json.WriteNumber("n_layer", config.Layers);
        json.WriteNumber("n_positions", config.MaxLength);
        json.WriteBoolean("scale_attn_by_inverse_layer_idx", false);
        json.WriteBoolean("scale_attn_weights", true);
        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        json.WriteString("torch_dtype", TypeName(type));
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteEndObject();
    });

    /// <exception cref="InvalidDataException">A key is missing or wrong, or the model is one that this program does not compute.</exception>
    internal static Gpt2Config Read(string path) => ConfigJson.Read(path, "GPT-2", root =>
    {
        Require(root, "scale_attn_weights", true, "attention without scaling is not computed here");
        Require(root, "scale_attn_by_inverse_layer_idx", false, "scaling by layer is not computed here");
        Require(root, "add_cross_attention", false, "cross-attention is not computed here");
        int hidden = Integer(root, "n_embd");
        var activation = Given(root, "activation_function") ? root.GetProperty("activation_function").GetString() : "gelu_new";
        var config = new Gpt2Config
        {
            VocabularySize = Integer(root, "vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = Integer(root, "n_inner", 4 * hidden),
            Layers = Integer(root, "n_layer"),
            Heads = Integer(root, "n_head"),
            MaxLength = Given(root, "n_positions") ? Integer(root, "n_positions") : Integer(root, "n_ctx", 1024),
            NormEpsilon = Number(root, "layer_norm_epsilon", 1e-5),
            TieEmbeddings = Flag(root, "tie_word_embeddings", true),
            Activation = activation switch
            {
                "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => Gpt2Activation.GeluTanh,
                "gelu" => Gpt2Activation.Gelu,
                "relu" => Gpt2Activation.Relu,
                "silu" or "swish" => Gpt2Activation.Silu,
                _ => throw new InvalidDataException($"activation_function must be gelu_new, gelu, gelu_pytorch_tanh, relu or silu, found {activation}"),
            },
        };
        config.Validate();
        return config;
    });
}
