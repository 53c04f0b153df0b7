using System.Text.Json;
using System.Text.Json.Nodes;
using Chorus.Gpu.Checkpoints;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Models;

/// <summary>Checkpoints in Hugging Face's layout with random weights, written key by key from a config.json, not by the writer under test.</summary>
internal static class SelfMadeCheckpoint
{
    /// <summary>Writes config.json and model.safetensors; weights are large enough that every part of the model shows in the logits.</summary>
    /// <param name="directory">Made.</param>
    /// <param name="config">config.json; model_type decides the tensors.</param>
    /// <param name="type">Of the weights.</param>
    /// <param name="prefix">Before GPT-2's names.</param>
    internal static void Write(string directory, string config, ScalarType type = ScalarType.Float32, string prefix = "transformer.")
    {
        var json = JsonNode.Parse(config)!.AsObject();
        using var scope = NewDisposeScope();
        using var generator = new Generator(17, CPU);
        var tensors = new Dictionary<string, Tensor>();
        void Add(string name, params long[] shape) => tensors[name] = (name.Contains("norm", StringComparison.Ordinal) || name.Contains("ln_", StringComparison.Ordinal)) && name.EndsWith("weight", StringComparison.Ordinal)
            ? (randn(shape, generator: generator) * 0.2 + 1).to_type(type)
            : (randn(shape, generator: generator) * (shape.Length == 1 ? 0.3 : 1.2 / Math.Sqrt(shape[^1]))).to_type(type);
        if ((string)json["model_type"]! == "llama")
            Llama(json, Add);
        else
            Gpt2(json, prefix, Add);
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "config.json"), json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        SafeTensors.Write(Path.Combine(directory, "model.safetensors"), tensors, new Dictionary<string, string> { ["format"] = "pt" });
    }

    private static void Llama(JsonObject json, Action<string, long[]> add)
    {
        int c = (int)json["hidden_size"]!, heads = (int)json["num_attention_heads"]!, inner = (int)json["intermediate_size"]!, v = (int)json["vocab_size"]!;
        int keyValueHeads = (int?)json["num_key_value_heads"] ?? heads, size = (int?)json["head_dim"] ?? c / heads;
        bool attentionBias = (bool?)json["attention_bias"] ?? false, mlpBias = (bool?)json["mlp_bias"] ?? false;
        void Linear(string name, int outSize, int inSize, bool bias)
        {
            add(name + ".weight", [outSize, inSize]);
            if (bias)
                add(name + ".bias", [outSize]);
        }
        add("model.embed_tokens.weight", [v, c]);
        for (int l = 0; l < (int)json["num_hidden_layers"]!; l++)
        {
            string at = $"model.layers.{l}.";
            add(at + "input_layernorm.weight", [c]);
            add(at + "post_attention_layernorm.weight", [c]);
            Linear(at + "self_attn.q_proj", heads * size, c, attentionBias);
            Linear(at + "self_attn.k_proj", keyValueHeads * size, c, attentionBias);
            Linear(at + "self_attn.v_proj", keyValueHeads * size, c, attentionBias);
            Linear(at + "self_attn.o_proj", c, heads * size, attentionBias);
            Linear(at + "mlp.gate_proj", inner, c, mlpBias);
            Linear(at + "mlp.up_proj", inner, c, mlpBias);
            Linear(at + "mlp.down_proj", c, inner, mlpBias);
        }
        add("model.norm.weight", [c]);
        if (!((bool?)json["tie_word_embeddings"] ?? false))
            add("lm_head.weight", [v, c]);
    }

    private static void Gpt2(JsonObject json, string prefix, Action<string, long[]> add)
    {
        int c = (int)json["n_embd"]!, inner = (int?)json["n_inner"] ?? 4 * c, length = (int)json["n_positions"]!;
        void Norm(string name)
        {
            add(prefix + name + ".weight", [c]);
            add(prefix + name + ".bias", [c]);
        }
        void Conv1D(string name, int inSize, int outSize)
        {
            add(prefix + name + ".weight", [inSize, outSize]);
            add(prefix + name + ".bias", [outSize]);
        }
        add(prefix + "wte.weight", [(int)json["vocab_size"]!, c]);
        add(prefix + "wpe.weight", [length, c]);
        for (int l = 0; l < (int)json["n_layer"]!; l++)
        {
            Norm($"h.{l}.ln_1");
            Conv1D($"h.{l}.attn.c_attn", c, 3 * c);
            Conv1D($"h.{l}.attn.c_proj", c, c);
            Norm($"h.{l}.ln_2");
            Conv1D($"h.{l}.mlp.c_fc", c, inner);
            Conv1D($"h.{l}.mlp.c_proj", inner, c);
            add($"{prefix}h.{l}.attn.bias", [1, 1, length, length]); // the causal mask, which old checkpoints carry
        }
        Norm("ln_f");
    }
}
