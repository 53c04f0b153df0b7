using Chorus.Gpu.Runtime;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>One layer's forward pass without a graph, and its backward pass with per-sample gradients.</summary>
/// <param name="anchor">A parameter of the layer that asks for gradients: through it autograd knows that the layer's output needs them.</param>
internal abstract class LayerRule(BackwardPass pass, ClippingGroup group, Parameter anchor, string layer)
{
    protected BackwardPass Pass => pass;

    protected ClippingGroup Group => group;

    public Parameter Anchor => anchor;

    /// <summary>For messages.</summary>
    public string Layer => layer;

    /// <summary>x to the outputs of the layer, or of the layers that share it.</summary>
    public abstract IReadOnlyList<Tensor> Forward(Tensor x);

    /// <summary>Sends the per-sample gradients on, and returns the gradient of x where it is needed.</summary>
    public abstract Tensor? Backward(Tensor x, IReadOnlyList<Tensor> outputGradients, bool needsInput);

    /// <summary>The outputs, in autograd's graph when there is one.</summary>
    public IReadOnlyList<Tensor> Apply(Tensor x)
    {
        pass.Needed?.Invoke(group);
        if (!is_grad_enabled())
            return Forward(x);
        if (pass.Batch == 0)
            throw new InvalidOperationException($"{layer} computes gradients for differentially private training, but no micro-batch was started");
        if (x.size(0) != pass.Batch || x.dim() < 2)
            throw new InvalidOperationException($"{layer} must see the micro-batch's {pass.Batch} samples as its first dimension, got [{string.Join(", ", x.shape)}]: otherwise samples cannot be told apart");
        // TorchSharp makes a tensor like each output, which goes with this scope.
        using var scope = NewDisposeScope();
        return [.. LayerFunction.apply(x, this, anchor).Select(o => o.MoveToOuterDisposeScope())];
    }

    public Tensor ApplyOne(Tensor x) => Apply(x)[0];

    protected void Send(SampleGradients samples) => pass.Receive(group, samples);

    internal BackwardPass Owner => pass;
}

/// <summary>What autograd calls: one function for all rules.</summary>
internal sealed class LayerFunction : autograd.MultiTensorFunction<LayerFunction>
{
    public override string Name => nameof(LayerFunction);

    public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, rule) = ((Tensor)vars[0], (LayerRule)vars[1]);
        ctx.save_data("rule", rule);
        ctx.save_data("needsInput", x.requires_grad);
        ctx.save_for_backward([x]);
        ctx.set_materialize_grads(false);
        return [.. rule.Forward(x)];
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        // Nothing may leave this method as an exception: native code called it.
        var rule = (LayerRule)ctx.get_data("rule");
        var pass = rule.Owner;
        bool needsInput = (bool)ctx.get_data("needsInput");
        Tensor? dx = null;
        HandedOver.Release();
        try
        {
            using var scope = NewDisposeScope(); // autograd may be on a thread of its own, where no other scope is
            var x = ctx.get_saved_variables()[0].contiguous();
            try
            {
                if (!pass.Failed)
                    dx = rule.Backward(x, Whole(x, grad_outputs), needsInput)?.DetachFromDisposeScope();
            }
            catch (Exception e)
            {
                pass.Fail(new InvalidOperationException($"{rule.Layer}: {e.Message}", e));
            }
            if (dx is null && needsInput)
                dx = zeros_like(x).DetachFromDisposeScope();
            foreach (var g in grad_outputs.Where(g => !g.IsInvalid && !pass.IsKept(g)))
                g.Dispose();
            if (dx is not null)
                HandedOver.Give(dx);
            ctx.Dispose(); // what was saved: the node itself lives until the whole graph goes
        }
        catch (Exception e)
        {
            pass.Fail(e);
        }
        return [dx!, null!, null!];
    }

    private static List<Tensor> Whole(Tensor x, List<Tensor> gradients)
    {
        // A view, such as a transposed or expanded gradient, is laid out: kernels want rows.
        for (int i = 0; i < gradients.Count; i++)
        {
            if (gradients[i].IsInvalid)
                throw new NotSupportedException("one of the layer's outputs plays no part in the loss");
            if (gradients[i].is_contiguous())
                continue;
            using var strided = gradients[i];
            gradients[i] = strided.contiguous();
        }
        return gradients;
    }
}
