using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Chorus.Gpu.Cuda;
using Chorus.Gpu.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models.Fused;

/// <summary>A few operators of a model that one kernel does on a GPU, forwards and backwards. Elsewhere the plain operators run.</summary>
internal abstract class FusedLayer
{
    // By GPU: a failure in native code's hands, told at the next chance.
    private static readonly ConcurrentDictionary<int, ExceptionDispatchInfo> Failures = new();

    /// <summary>Whether kernels run where the tensor is.</summary>
    public static bool Available(Tensor x) => x.device_type == DeviceType.CUDA && CudaDevice.KernelsAvailable;

    /// <summary>Outputs, and what the backward pass needs, saved.</summary>
    protected abstract Tensor[] Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved);

    /// <summary>A gradient for each input, null where none is needed.</summary>
    protected abstract Tensor?[] Backward(IReadOnlyList<Tensor> saved, IReadOnlyList<Tensor> gradients);

    protected static CudaDevice DeviceOf(Tensor x) => CudaDevice.Of(Math.Max(0, x.device_index));

    /// <summary>The outputs, in autograd's graph where an input needs gradients; the caller owns them.</summary>
    /// <exception cref="InvalidOperationException">An earlier backward pass on this GPU failed; its cause is inside.</exception>
    public IReadOnlyList<Tensor> Apply(params Tensor[] inputs)
    {
        ThrowIfFailed(inputs[0].device);
        // TorchSharp makes a tensor like each output, which goes with this scope, as does what was saved: autograd has its own hold on that.
        using var scope = NewDisposeScope();
        var outputs = is_grad_enabled() && inputs.Any(i => i.requires_grad) ? Function.apply([this, .. inputs]) : [.. Forward(inputs, [])];
        return [.. outputs.Select(o => o.MoveToOuterDisposeScope())];
    }

    /// <summary>To be called when a backward pass is over: zeros stand where a kernel failed.</summary>
    public static void ThrowIfFailed(Device device)
    {
        if (device.type == DeviceType.CUDA && Failures.TryRemove(Math.Max(0, device.index), out var failure))
            throw new InvalidOperationException($"a kernel failed in the backward pass: {failure.SourceException.Message}", failure.SourceException);
    }

    private sealed class Function : autograd.MultiTensorFunction<Function>
    {
        public override string Name => nameof(FusedLayer);

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var layer = (FusedLayer)vars[0];
            Tensor[] inputs = [.. vars.Skip(1).Cast<Tensor>()];
            var saved = new List<Tensor>();
            var outputs = layer.Forward(inputs, saved);
            ctx.save_data("layer", layer);
            ctx.save_data("needed", inputs.Select(i => i.requires_grad).ToArray());
            ctx.save_for_backward(saved);
            ctx.set_materialize_grads(false);
            return [.. outputs];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
        {
            // Nothing may leave this method as an exception: native code called it.
            var layer = (FusedLayer)ctx.get_data("layer");
            var needed = (bool[])ctx.get_data("needed");
            HandedOver.Release();
            var results = new List<Tensor> { null! };
            try
            {
                using var scope = NewDisposeScope(); // autograd may be on a thread of its own, where no other scope is
                Tensor?[] gradients = new Tensor?[needed.Length];
                var saved = ctx.get_saved_variables();
                try
                {
                    if (grad_outputs.Any(g => g.IsInvalid))
                        throw new NotSupportedException($"an output of {layer.GetType().Name} plays no part in the loss");
                    gradients = layer.Backward(saved, [.. grad_outputs.Select(g => g.is_contiguous() ? g : g.contiguous())]);
                }
                catch (Exception e)
                {
                    Failures.TryAdd(Math.Max(0, saved[0].device_index), ExceptionDispatchInfo.Capture(e));
                }
                for (int i = 0; i < needed.Length; i++)
                {
                    // Without its gradient autograd would go on with what it thinks is zero, and so does this.
                    var gradient = needed[i] ? gradients[i]?.DetachFromDisposeScope() : null;
                    if (gradient is not null)
                        HandedOver.Give(gradient);
                    results.Add(gradient!);
                }
                foreach (var g in grad_outputs)
                    g.Dispose();
                ctx.Dispose(); // what was saved: the node itself lives until the whole graph goes
            }
            catch (Exception e)
            {
                Failures.TryAdd(0, ExceptionDispatchInfo.Capture(e));
            }
            while (results.Count < needed.Length + 1)
                results.Add(null!);
            return results;
        }
    }
}
