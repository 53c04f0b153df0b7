// Shapes: B batch, T time, NH heads, KVH key/value heads, HS head size
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>Scaled dot-product attention with grouped queries.</summary>
internal static class CausalAttention
{
    /// <summary>query [B, NH, T, HS], key and value [B, KVH, T, HS] to [B, NH, T, HS]; the caller owns the result.</summary>
    /// <param name="mask">bool [B or 1, 1, T, T], true where attention is allowed; null is causal.</param>
    public static Tensor Mix(Tensor query, Tensor key, Tensor value, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        (key, value) = (Expand(key, query.shape[1]), Expand(value, query.shape[1]));
        return (mask is null
            ? nn.functional.scaled_dot_product_attention(query, key, value, is_casual: true)
            : nn.functional.scaled_dot_product_attention(query, key, value, mask)).MoveToOuterDisposeScope();
    }

    // Query head h reads key/value head h / (NH / KVH): [B, KVH, T, HS] to [B, NH, T, HS]. TorchSharp's attention has no GQA option.
    private static Tensor Expand(Tensor x, long heads)
    {
        long batch = x.shape[0], keyValueHeads = x.shape[1], time = x.shape[2], size = x.shape[3];
        return heads == keyValueHeads ? x : x.unsqueeze(2).expand(batch, keyValueHeads, heads / keyValueHeads, time, size).reshape(batch, heads, time, size);
    }
}
