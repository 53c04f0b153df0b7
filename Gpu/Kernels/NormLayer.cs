// Shapes: B samples, T time, C channels
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>RMSNorm forwards, and RMSNorm and LayerNorm backwards with each sample's own sums for the weights (norm_layer.cu).</summary>
public sealed class NormLayer(CudaDevice device)
{
    private const string File = "norm_layer.cu";
    private const int Threads = 256, MostVectors = 4, BlocksPerMultiprocessor = 6;

    /// <summary>Whether x [..., C] is contiguous and C a multiple of 8, at most 8192.</summary>
    public static bool Takes(Tensor x, Tensor weight)
    {
        long channels = x.size(-1);
        return NumberTypes.Code(x.dtype) >= 0 && NumberTypes.Code(weight.dtype) >= 0 && channels <= MostVectors * Threads * NumberTypes.VectorElements && x.is_contiguous() && weight.is_contiguous()
            && NumberTypes.Wide(x, channels) && NumberTypes.Wide(weight, channels);
    }

    /// <summary>RMSNorm of x; the caller owns the result.</summary>
    public Tensor RmsForward(Tensor x, Tensor weight, double epsilon)
    {
        ArgumentNullException.ThrowIfNull(x);
        var y = empty_like(x);
        int channels = (int)x.size(-1);
        using var arguments = new KernelArguments();
        arguments.Add(x).Add(weight).Add(y).Add(channels).Add((float)epsilon);
        Kernel("rms_norm_forward", x, weight, centred: false, weights: false).Launch((int)(x.numel() / channels), Threads, 0, arguments);
        return y;
    }

    /// <summary>dx like x, and where they are asked for float32 [B, C] of the weight and, if <paramref name="centred"/> (LayerNorm), of the bias.</summary>
    /// <param name="x">[B, ..., C].</param>
    /// <param name="g">Like x.</param>
    public (Tensor Input, Tensor? Weight, Tensor? Bias) Backward(Tensor x, Tensor weight, Tensor g, double epsilon, bool centred, bool weights)
    {
        ArgumentNullException.ThrowIfNull(x);
        using var scope = NewDisposeScope();
        int channels = (int)x.size(-1), samples = (int)x.size(0), time = (int)(x.numel() / channels / samples);
        int pieces = Math.Clamp(device.Multiprocessors * BlocksPerMultiprocessor / samples, 1, time);
        var dx = empty_like(x);
        Tensor? Sums(bool asked) => asked ? empty(samples, pieces, channels, dtype: ScalarType.Float32, device: x.device) : null;
        var (dweight, dbias) = (Sums(weights), Sums(weights && centred));
        using var arguments = new KernelArguments();
        arguments.Add(x).Add(weight).Add(g).Add(dx);
        foreach (var sums in (Tensor?[])[dweight, dbias])
            _ = sums is null ? arguments.Add((nint)0) : arguments.Add(sums);
        arguments.Add(time).Add(channels).Add((float)epsilon).Add(pieces);
        Kernel("norm_backward", x, weight, centred, weights).Launch(samples * pieces, Threads, 0, arguments);
        return (dx.MoveToOuterDisposeScope(), dweight?.sum([1L]).MoveToOuterDisposeScope(), dbias?.sum([1L]).MoveToOuterDisposeScope());
    }

    private CudaKernel Kernel(string name, Tensor x, Tensor weight, bool centred, bool weights)
    {
        long vectors = (x.size(-1) + (Threads * NumberTypes.VectorElements) - 1) / (Threads * NumberTypes.VectorElements);
        return CudaKernel.Of(
            device, File, name, ownArchitecture: false, ("TYPE", NumberTypes.Code(x.dtype)), ("WEIGHT", NumberTypes.Code(weight.dtype)), ("VECTORS", (int)vectors), ("CENTRED", centred ? 1 : 0), ("WEIGHTS", weights ? 1 : 0));
    }
}
