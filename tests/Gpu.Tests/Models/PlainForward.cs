// Shapes: T time, C channels, NH heads, KVH key/value heads, HS head size
using System.Text.Json;
using Chorus.Gpu.Checkpoints;
using TorchSharp;

namespace Chorus.Gpu.Tests.Models;

/// <summary>
/// Llama and GPT-2 as plain loops in float64, written from the papers and from what config.json says, with no line of the
/// models under test: what their logits are compared with.
/// </summary>
internal sealed class PlainForward
{
    private readonly JsonElement _config;
    private readonly Dictionary<string, (double[] Values, long[] Shape)> _weights = [];

    public PlainForward(string directory)
    {
        _config = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, "config.json"))).RootElement;
        foreach (var file in Directory.GetFiles(directory, "*.safetensors"))
        {
            foreach (var (name, tensor) in SafeTensors.Read(file, torch.CPU, torch.ScalarType.Float64))
            {
                _weights[name] = (tensor.data<double>().ToArray(), tensor.shape);
                tensor.Dispose();
            }
        }
    }

    /// <summary>One sequence's logits, [T][V].</summary>
    public double[][] Logits(int[] ids) => _config.GetProperty("model_type").GetString() == "llama" ? Llama(ids) : Gpt2(ids);

    private double[][] Llama(int[] ids)
    {
        int heads = Int("num_attention_heads"), keyValueHeads = Int("num_key_value_heads", heads), size = Int("head_dim", Int("hidden_size") / heads);
        double eps = _config.GetProperty("rms_norm_eps").GetDouble();
        var frequencies = Frequencies(size);
        var x = ids.Select(id => Row("model.embed_tokens.weight", id)).ToArray();
        for (int layer = 0; layer < Int("num_hidden_layers"); layer++)
        {
            string at = $"model.layers.{layer}.";
            var normed = x.Select(v => RmsNorm(v, at + "input_layernorm.weight", eps)).ToArray();
            var q = normed.Select((v, t) => Turn(Linear(v, at + "self_attn.q_proj"), heads, size, t, frequencies)).ToArray();
            var k = normed.Select((v, t) => Turn(Linear(v, at + "self_attn.k_proj"), keyValueHeads, size, t, frequencies)).ToArray();
            var v = normed.Select(n => Linear(n, at + "self_attn.v_proj")).ToArray();
            var mixed = Attend(q, k, v, heads, keyValueHeads, size);
            x = [.. x.Zip(mixed, (a, m) => Add(a, Linear(m, at + "self_attn.o_proj")))];
            x = [.. x.Select(a =>
            {
                var n = RmsNorm(a, at + "post_attention_layernorm.weight", eps);
                var gate = Linear(n, at + "mlp.gate_proj");
                var up = Linear(n, at + "mlp.up_proj");
                return Add(a, Linear([.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], at + "mlp.down_proj"));
            })];
        }
        string head = _weights.ContainsKey("lm_head.weight") ? "lm_head.weight" : "model.embed_tokens.weight";
        return [.. x.Select(a => Product(RmsNorm(a, "model.norm.weight", eps), head))];
    }

    private double[][] Gpt2(int[] ids)
    {
        string prefix = _weights.ContainsKey("wte.weight") ? "" : "transformer.";
        int heads = Int("n_head"), c = Int("n_embd");
        double eps = _config.GetProperty("layer_norm_epsilon").GetDouble();
        var x = ids.Select((id, t) => Add(Row(prefix + "wte.weight", id), Row(prefix + "wpe.weight", t))).ToArray();
        for (int layer = 0; layer < Int("n_layer"); layer++)
        {
            string at = $"{prefix}h.{layer}.";
            var all = x.Select(a => Conv1D(LayerNorm(a, at + "ln_1", eps), at + "attn.c_attn")).ToArray();
            var mixed = Attend([.. all.Select(a => a[..c])], [.. all.Select(a => a[c..(2 * c)])], [.. all.Select(a => a[(2 * c)..])], heads, heads, c / heads);
            x = [.. x.Zip(mixed, (a, m) => Add(a, Conv1D(m, at + "attn.c_proj")))];
            x = [.. x.Select(a => Add(a, Conv1D([.. Conv1D(LayerNorm(a, at + "ln_2", eps), at + "mlp.c_fc").Select(Gelu)], at + "mlp.c_proj")))];
        }
        return [.. x.Select(a => Product(LayerNorm(a, prefix + "ln_f", eps), prefix + "wte.weight"))];
    }

    private static double Gelu(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    // Of each pair of dimensions. Llama 3.1: wavelengths longer than old / low are stretched by the factor, those shorter than
    // old / high are kept, and between the two the inverse wavelength is a mean of both, linear in old / wavelength.
    private double[] Frequencies(int size)
    {
        bool five = _config.TryGetProperty("rope_parameters", out var rope);
        if (!five)
            _config.TryGetProperty("rope_scaling", out rope);
        double theta = (five ? rope : _config).GetProperty("rope_theta").GetDouble();
        string type = rope.ValueKind != JsonValueKind.Object ? "default"
            : rope.TryGetProperty("rope_type", out var t) || rope.TryGetProperty("type", out t) ? t.GetString()! : "default";
        return [.. Enumerable.Range(0, size / 2).Select(i =>
        {
            double f = Math.Pow(theta, -2.0 * i / size);
            if (type == "default")
                return f;
            double factor = rope.GetProperty("factor").GetDouble();
            if (type == "linear")
                return f / factor;
            double low = rope.GetProperty("low_freq_factor").GetDouble(), high = rope.GetProperty("high_freq_factor").GetDouble();
            double turns = rope.GetProperty("original_max_position_embeddings").GetDouble() / (2 * Math.PI / f); // in the old context
            double kept = Math.Clamp((turns - low) / (high - low), 0, 1);
            return kept * f + (1 - kept) * f / factor;
        })];
    }

    private static double[] Turn(double[] x, int heads, int size, int position, double[] frequencies)
    {
        var y = new double[x.Length];
        for (int h = 0; h < heads; h++)
        {
            for (int i = 0; i < size / 2; i++)
            {
                int a = h * size + i, b = a + size / 2;
                double angle = position * frequencies[i];
                y[a] = x[a] * Math.Cos(angle) - x[b] * Math.Sin(angle);
                y[b] = x[b] * Math.Cos(angle) + x[a] * Math.Sin(angle);
            }
        }
        return y;
    }

    private static double[][] Attend(double[][] q, double[][] k, double[][] v, int heads, int keyValueHeads, int size)
    {
        var mixed = q.Select(_ => new double[heads * size]).ToArray();
        for (int t = 0; t < q.Length; t++)
        {
            for (int h = 0; h < heads; h++)
            {
                int from = h * keyValueHeads / heads * size;
                var weights = Enumerable.Range(0, t + 1)
                    .Select(s => Math.Exp(Enumerable.Range(0, size).Sum(i => q[t][h * size + i] * k[s][from + i]) / Math.Sqrt(size))).ToArray();
                for (int i = 0; i < size; i++)
                    mixed[t][h * size + i] = weights.Select((w, s) => w * v[s][from + i]).Sum() / weights.Sum();
            }
        }
        return mixed;
    }

    private double[] RmsNorm(double[] x, string weight, double eps)
    {
        double rms = Math.Sqrt(x.Average(a => a * a) + eps);
        return [.. x.Zip(_weights[weight].Values, (a, w) => a / rms * w)];
    }

    private double[] LayerNorm(double[] x, string name, double eps)
    {
        double mean = x.Average(), deviation = Math.Sqrt(x.Average(a => (a - mean) * (a - mean)) + eps);
        return [.. x.Select((a, i) => (a - mean) / deviation * _weights[name + ".weight"].Values[i] + _weights[name + ".bias"].Values[i])];
    }

    // y_o = sum_i W[o, i] x_i + b_o
    private double[] Linear(double[] x, string name)
    {
        var y = Product(x, name + ".weight");
        return _weights.TryGetValue(name + ".bias", out var bias) ? Add(y, bias.Values) : y;
    }

    // y_o = sum_i W[i, o] x_i + b_o
    private double[] Conv1D(double[] x, string name)
    {
        var (weight, shape) = _weights[name + ".weight"];
        Assert.Equal(x.Length, shape[0]);
        return [.. Enumerable.Range(0, (int)shape[1]).Select(o => x.Select((a, i) => a * weight[i * shape[1] + o]).Sum() + _weights[name + ".bias"].Values[o])];
    }

    private double[] Product(double[] x, string name)
    {
        var (weight, shape) = _weights[name];
        Assert.Equal(x.Length, shape[1]);
        return [.. Enumerable.Range(0, (int)shape[0]).Select(o => x.Select((a, i) => a * weight[o * x.Length + i]).Sum())];
    }

    private double[] Row(string name, int row)
    {
        var (values, shape) = _weights[name];
        return values[(int)(row * shape[1])..(int)((row + 1) * shape[1])];
    }

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private int Int(string name, int otherwise = -1) => _config.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : otherwise;
}
