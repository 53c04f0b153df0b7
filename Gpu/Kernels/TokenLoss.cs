// Shapes: R rows, V vocabulary
using Chorus.Gpu.Cuda;
using static TorchSharp.torch;

namespace Chorus.Gpu.Kernels;

/// <summary>Cross-entropy of tokens without a float32 copy of the logits, and its gradient in their memory (token_loss.cu).</summary>
public sealed class TokenLoss(CudaDevice device)
{
    private const string File = "token_loss.cu";
    private const int Threads = 256;

    /// <summary>Whether logits [R, V'] are contiguous, V' a multiple of 8.</summary>
    public static bool Takes(Tensor logits) => NumberTypes.Code(logits.dtype) >= 0 && logits.dim() == 2 && logits.is_contiguous() && NumberTypes.Wide(logits, logits.size(1));

    /// <summary>Losses and log-sum-exps, float32 [R] each; the caller owns both.</summary>
    /// <param name="logits">[R, V'], of which the first V are logits.</param>
    /// <param name="targets">int64 [R]; below 0 there is none, and no loss.</param>
    public (Tensor Losses, Tensor LogSumExps) Forward(Tensor logits, Tensor targets, long vocabulary)
    {
        ArgumentNullException.ThrowIfNull(logits);
        var losses = empty(logits.size(0), dtype: ScalarType.Float32, device: logits.device);
        var logSumExps = empty_like(losses);
        using var arguments = new KernelArguments();
        arguments.Add(logits).Add(targets).Add(losses).Add(logSumExps).Add((int)vocabulary).Add((int)logits.size(1));
        Kernel("token_loss_forward", logits).Launch((int)logits.size(0), Threads, 0, arguments);
        return (losses, logSumExps);
    }

    /// <summary>Writes the gradient of the logits over them.</summary>
    /// <param name="g">float32 [R], of the losses.</param>
    public void Backward(Tensor logits, Tensor targets, Tensor g, Tensor logSumExps, long vocabulary)
    {
        ArgumentNullException.ThrowIfNull(logits);
        using var arguments = new KernelArguments();
        arguments.Add(logits).Add(targets).Add(g).Add(logSumExps).Add((int)vocabulary).Add((int)logits.size(1));
        Kernel("token_loss_backward", logits).Launch((int)logits.size(0), Threads, 0, arguments);
    }

    private CudaKernel Kernel(string name, Tensor logits) => CudaKernel.Of(device, File, name, ownArchitecture: false, ("TYPE", NumberTypes.Code(logits.dtype)));
}
