// Shapes: B batch, T time, H heads, HS head size
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Rotary positions on queries and keys in one pass, forwards and backwards (rotary.cu).</summary>
public sealed class Rotary(CudaDevice device)
{
    private const int Threads = 256, BlocksPerMultiprocessor = 16, Halves = 2;

    /// <summary>Whether query and key [B, T, H, HS] are contiguous and of the tables' type, HS a multiple of 16.</summary>
    public static bool Takes(Tensor query, Tensor key, Tensor cos) =>
        NumberTypes.Code(query.dtype) >= 0 && query.dtype == key.dtype && query.dtype == cos.dtype && query.is_contiguous() && key.is_contiguous() && cos.is_contiguous()
        && query.size(-1) % (Halves * NumberTypes.VectorElements) == 0 && NumberTypes.Wide(query, query.size(-1)) && NumberTypes.Wide(key, key.size(-1)) && NumberTypes.Wide(cos, cos.size(-1));

    /// <summary>Both turned, or turned back; the caller owns the results.</summary>
    /// <param name="query">[B, T, H, HS].</param>
    /// <param name="key">[B, T, KVH, HS].</param>
    /// <param name="cos">[T, HS], or [B, ..., T, HS].</param>
    /// <param name="sin">Like cos.</param>
    public (Tensor Query, Tensor Key) Turn(Tensor query, Tensor key, Tensor cos, Tensor sin, bool backward)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(cos);
        long table = query.size(1) * query.size(3);
        var (turnedQuery, turnedKey) = (empty_like(query), empty_like(key));
        using var arguments = new KernelArguments();
        arguments.Add(query).Add(turnedQuery).Add((int)query.size(2)).Add(key).Add(turnedKey).Add((int)key.size(2)).Add(cos).Add(sin);
        arguments.Add(cos.numel() > table ? table : 0L).Add((int)query.size(0)).Add((int)query.size(1)).Add((int)query.size(3)).Add(backward ? 1 : 0);
        long items = (query.numel() + key.numel()) / (Halves * NumberTypes.VectorElements);
        CudaKernel.Of(device, "rotary.cu", "rotary", ownArchitecture: false, ("TYPE", NumberTypes.Code(query.dtype)))
            .Launch((int)Math.Clamp((items + Threads - 1) / Threads, 1, (long)device.Multiprocessors * BlocksPerMultiprocessor), Threads, 0, arguments);
        return (turnedQuery, turnedKey);
    }
}
