using System.Runtime.ExceptionServices;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>What the layers' rules share during one micro-batch: kernels, lengths, what becomes of the gradients, and what went wrong.</summary>
/// <remarks>
/// The backward pass runs on autograd's own thread where the device is a GPU, and an exception there would end the process. So a
/// rule's failure is kept here, zeros go on in place of gradients, and <see cref="Finish"/> throws.
/// </remarks>
internal sealed class BackwardPass(IDpKernels kernels, IClippingStrategy strategy, NormMethod method) : IDisposable
{
    private readonly HashSet<Tensor> _kept = new(ReferenceEqualityComparer.Instance);
    private ExceptionDispatchInfo? _failure;

    public IDpKernels Kernels => kernels;

    public NormMethod Method => method;

    /// <summary>Samples of the micro-batch; 0 between micro-batches.</summary>
    public long Batch { get; private set; }

    /// <summary>int32 [B] or null.</summary>
    public Tensor? Lengths { get; private set; }

    /// <summary>uint8 [B]: 1 for samples with a gradient that is not finite.</summary>
    public Tensor NotFinite { get; private set; } = null!;

    /// <summary>The head's part of a tied matrix's gradients, until the embedding's comes.</summary>
    public LinearSamples? TiedHead { get; set; }

    public void Start(long batch, Tensor? lengths, Device device)
    {
        Dispose();
        (_failure, TiedHead, Batch, Lengths) = (null, null, batch, lengths);
        NotFinite = zeros([batch], ScalarType.Byte, device).DetachFromDisposeScope();
        strategy.Start(this);
    }

    /// <summary>To be called when backward has returned.</summary>
    public void Finish()
    {
        _failure?.Throw();
        if (TiedHead is not null)
            throw new InvalidOperationException("the embedding got no gradient, and the head that is tied to it waits for one: was the loss computed from the model's own forward pass?");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        strategy.Complete(this);
        ReleaseHeld();
        Batch = 0;
    }

    /// <summary>Called by a rule when its group's gradients are there.</summary>
    public void Receive(ClippingGroup group, SampleGradients samples) => strategy.Receive(this, group, samples);

    /// <summary>Holds what the samples hold until the pass is over; else it goes with the rule's own scope.</summary>
    public void Keep(SampleGradients samples)
    {
        foreach (var tensor in samples.Tensors)
        {
            if (_kept.Add(tensor))
                tensor.DetachFromDisposeScope();
        }
    }

    public bool IsKept(Tensor tensor) => _kept.Contains(tensor);

    public void Fail(Exception e) => _failure ??= ExceptionDispatchInfo.Capture(e);

    /// <summary>Told each group whose weights a forward pass is about to read.</summary>
    public Action<ClippingGroup>? Needed { get; set; }

    /// <summary>Told each group whose sum has all that this micro-batch adds, where that is known before the pass is over.</summary>
    public Action<ClippingGroup>? Summed { get; set; }

    public bool Failed => _failure is not null;

    public void Dispose()
    {
        ReleaseHeld();
        NotFinite?.Dispose();
        NotFinite = null!;
        (TiedHead, Lengths, Batch) = (null, null, 0);
    }

    private void ReleaseHeld()
    {
        foreach (var tensor in _kept)
            tensor.Dispose();
        _kept.Clear();
    }
}
