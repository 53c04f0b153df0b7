using Chorus.Gpu.DpSgd.References;
using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using Chorus.Gpu.Models.Fused;
using Chorus.Gpu.Runtime;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>Adds up a logical batch's gradients, micro-batch by micro-batch.</summary>
public interface IGradientSource : IDisposable
{
    /// <summary>What is trained, with the sums so far.</summary>
    IReadOnlyList<ClippedParameter> Parameters { get; }

    /// <summary>Clipping groups; empty where nothing is clipped.</summary>
    IReadOnlyList<ClippingGroup> Groups { get; }

    /// <summary>Adds one micro-batch: forward, backward, sums.</summary>
    /// <param name="batch">The number of samples.</param>
    /// <param name="lengths">int32 [B] on the device, or null: rows of a sample from its length on get no gradient.</param>
    /// <param name="losses">Computes each sample's loss [B] with the model; called once, or twice where the method has two passes.</param>
    /// <returns>The losses, detached; the caller owns them.</returns>
    Tensor Accumulate(long batch, Tensor? lengths, Func<Tensor> losses);

    /// <summary>Gives the sums' memory back: the next micro-batch begins at zero.</summary>
    void Clear();

    /// <summary>Has somebody follow the passes, who brings weights and takes sums.</summary>
    /// <param name="needed">Told of parameters before a forward pass reads them.</param>
    /// <param name="final">Told, during a backward pass, of parameters whose sums have all that the micro-batch adds; of others nothing is said.</param>
    void Watch(Action<IReadOnlyList<ClippedParameter>> needed, Action<IReadOnlyList<ClippedParameter>> final);

    /// <summary>float32 [1] on the device: samples, since the start, with a gradient that was not finite and so was left out.</summary>
    Tensor NotFinite { get; }
}

/// <summary>Clipped per-sample gradients of a model, by one of the methods.</summary>
public sealed class PrivateGradients : IGradientSource
{
    private readonly BackwardPass _pass;
    private readonly PrivateLayers _layers;
    private readonly IClippingStrategy _strategy;
    private readonly Device _device;

    /// <param name="model">Parameters that ask for gradients are trained; others cost nothing. While this lives, the model trains through it.</param>
    /// <param name="adapter">An adapter on the model to train with it, or null.</param>
    /// <exception cref="NotSupportedException">A layer has no rule for per-sample gradients; the message names it.</exception>
    /// <exception cref="ArgumentException">The method does not clip in this way.</exception>
    public PrivateGradients(CausalModel model, LoraAdapter? adapter, ClippingSettings s, DpMethod method, IDpKernels? kernels = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(s);
        bool flat = s.Kind == ClippingKind.Flat;
        if (flat && s.Thresholds != ThresholdChoice.Equal)
            throw new ArgumentException("flat clipping has one threshold: Thresholds must be Equal");
        _strategy = method switch
        {
            DpMethod.Fused => flat ? new FlatStrategy(s.Threshold, s.Rule) : new FusedStrategy(s.Rule),
            DpMethod.Explicit => new ExplicitStrategy(flat ? s.Threshold : null, s.Rule),
            DpMethod.BookKeeping => new BookKeepingStrategy(flat ? s.Threshold : null, s.Rule),
            DpMethod.Ghost => flat ? new GhostStrategy(s.Threshold, s.Rule)
                : throw new ArgumentException("ghost clipping weighs each sample's loss, so all layers share one weight: clipping must be Flat"),
            _ => throw new ArgumentException($"{method} does not clip"),
        };
        _device = model.Device;
        _pass = new BackwardPass(kernels ?? DpKernels.For(model.Device), _strategy, s.NormMethod);
        _layers = new PrivateLayers(model, adapter, _pass, s.ShareInputs);
        Thresholds.Begin(Groups, s);
        if (s.Thresholds == ThresholdChoice.Adaptive)
        {
            foreach (var group in Groups)
                group.Within = zeros([1], ScalarType.Float32, _device).DetachFromDisposeScope();
        }
        NotFinite = zeros([1], ScalarType.Float32, _device).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public IReadOnlyList<ClippedParameter> Parameters => _layers.Parameters;

    /// <inheritdoc/>
    public IReadOnlyList<ClippingGroup> Groups => _layers.Groups;

    /// <inheritdoc/>
    public Tensor NotFinite { get; }

    /// <inheritdoc/>
    public void Watch(Action<IReadOnlyList<ClippedParameter>> needed, Action<IReadOnlyList<ClippedParameter>> final) =>
        (_pass.Needed, _pass.Summed) = (group => needed(group.Parameters), group => final(group.Parameters));

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A layer's rule failed; the message names the layer.</exception>
    public Tensor Accumulate(long batch, Tensor? lengths, Func<Tensor> losses)
    {
        ArgumentNullException.ThrowIfNull(losses);
        using var scope = NewDisposeScope();
        try
        {
            _pass.Start(batch, lengths, _device);
            var values = losses();
            values.sum().backward();
            HandedOver.ReleaseOf(_device);
            FusedLayer.ThrowIfFailed(_device);
            _pass.Finish();
            if (_strategy is GhostStrategy ghost)
                ghost.SecondPass(_pass, batch, lengths, _device, losses);
            NotFinite.add_(_pass.NotFinite.sum([0L], keepdim: true, type: ScalarType.Float32));
            return values.detach().MoveToOuterDisposeScope();
        }
        finally
        {
            _pass.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Clear()
    {
        foreach (var parameter in Parameters)
            parameter.Release();
    }

    public void Dispose()
    {
        _layers.Dispose();
        _pass.Dispose();
        Clear();
        foreach (var group in Groups)
            group.Within?.Dispose();
        NotFinite.Dispose();
    }
}

/// <summary>Ordinary gradients of the summed loss, for training without privacy by the same trainer.</summary>
public sealed class PlainGradients(CausalModel model, LoraAdapter? adapter) : IGradientSource
{
    private BackwardMarkers? _markers;

    /// <inheritdoc/>
    public IReadOnlyList<ClippedParameter> Parameters { get; } = PrivateLayers.TrainedParameters(model, adapter);

    /// <inheritdoc/>
    public IReadOnlyList<ClippingGroup> Groups => [];

    /// <inheritdoc/>
    public Tensor NotFinite { get; } = zeros([1], ScalarType.Float32, model.Device).DetachFromDisposeScope();

    /// <inheritdoc/>
    public void Watch(Action<IReadOnlyList<ClippedParameter>> needed, Action<IReadOnlyList<ClippedParameter>> final)
    {
        _markers?.Dispose();
        _markers = new BackwardMarkers(model, Parameters, needed, final);
    }

    /// <inheritdoc/>
    public Tensor Accumulate(long batch, Tensor? lengths, Func<Tensor> losses)
    {
        ArgumentNullException.ThrowIfNull(losses);
        using var scope = NewDisposeScope();
        foreach (var parameter in Parameters)
        {
            // Autograd adds to a gradient that is there already, in its own memory.
            if (parameter.Memory is not null && parameter.Gradient is null)
                parameter.Parameter.grad = parameter.SetTarget();
            else if (parameter.Gradient is { } begun && parameter.Parameter.grad is null)
                parameter.Parameter.grad = begun;
        }
        _markers?.Begin();
        var values = losses();
        values.sum().backward();
        HandedOver.ReleaseOf(model.Device);
        FusedLayer.ThrowIfFailed(model.Device);
        _markers?.Finish();
        foreach (var parameter in Parameters)
        {
            // The sum is the parameter's own .grad, which autograd adds the next micro-batch to.
            if (parameter.Gradient is null && parameter.Parameter.grad is { } grad)
                parameter.Take(grad);
        }
        return values.detach().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Clear()
    {
        using var scope = NewDisposeScope(); // setting .grad reads it
        foreach (var parameter in Parameters)
        {
            parameter.Release();
            parameter.Parameter.grad = null;
        }
    }

    public void Dispose()
    {
        _markers?.Dispose();
        Clear();
        NotFinite.Dispose();
    }
}
