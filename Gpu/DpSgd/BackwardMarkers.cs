using System.Runtime.ExceptionServices;
using Chorus.Gpu.Models;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>Tells, during an ordinary backward pass, which parameters have their gradients, and before a forward pass which it will read: TorchSharp has no hooks.</summary>
/// <remarks>
/// A marker stands before each norm; behind it is what comes until the next. Autograd runs what was computed last first, and adds a parameter's gradient up as soon as it has it, so
/// when a marker's turn comes all that was computed behind it is done.
/// </remarks>
internal sealed class BackwardMarkers : IDisposable
{
    private readonly IReadOnlyList<ClippedParameter> _parameters;
    private readonly Action<IReadOnlyList<ClippedParameter>> _needed, _final;
    private readonly HashSet<ClippedParameter> _marked = [];
    private readonly List<Action> _undo = [];
    private Tensor? _handedOver;
    private ExceptionDispatchInfo? _failure;

    /// <param name="needed">Told the parameters behind each marker before the forward pass goes on.</param>
    /// <param name="final">Told the parameters behind each marker when its turn comes in the backward pass, perhaps on a thread of autograd's.</param>
    public BackwardMarkers(CausalModel model, IReadOnlyList<ClippedParameter> parameters, Action<IReadOnlyList<ClippedParameter>> needed, Action<IReadOnlyList<ClippedParameter>> final)
    {
        (_parameters, _needed, _final) = (parameters, needed, final);
        bool tied = model.Output.Weight.Handle == model.Embedding.Handle;
        if (model is LlamaModel llama)
        {
            foreach (var layer in llama.Layers)
            {
                Mark(layer.InputNorm, layer.Attention);
                Mark(layer.PostAttentionNorm, layer.Mlp);
            }
            Mark(llama.FinalNorm, tied ? llama.FinalNorm : model.Output);
        }
        else if (model is Gpt2Model gpt2)
        {
            foreach (var layer in gpt2.Layers)
            {
                Mark(layer.FirstNorm, layer.QueryKeyValue, layer.AttentionOutput);
                Mark(layer.SecondNorm, layer.Up, layer.Down);
            }
            Mark(gpt2.FinalNorm, tied ? gpt2.FinalNorm : model.Output);
        }
    }

    /// <summary>To be called before a forward pass: what is behind no marker is needed from its start.</summary>
    public void Begin() => _needed([.. _parameters.Where(p => !_marked.Contains(p))]);

    /// <summary>To be called when backward has returned.</summary>
    public void Finish()
    {
        _handedOver?.Dispose();
        _handedOver = null;
        var failure = _failure;
        _failure = null;
        failure?.Throw();
    }

    public void Dispose()
    {
        foreach (var undo in _undo)
            undo();
        _handedOver?.Dispose();
    }

    private void Mark(RmsNorm norm, params nn.Module[] behind)
    {
        if (At(norm, behind, norm.Apply, rule => norm.Rule = rule) is { } rule)
            norm.Rule = rule;
    }

    private void Mark(Gpt2Norm norm, params nn.Module[] behind)
    {
        if (At(norm, behind, norm.Apply, rule => norm.Rule = rule) is { } rule)
            norm.Rule = rule;
    }

    // The norm computes in its own way, whatever that is, on an input that autograd passes through the marker.
    private Func<Tensor, Tensor>? At(nn.Module norm, nn.Module[] behind, Func<Tensor, Tensor> apply, Action<Func<Tensor, Tensor>?> set)
    {
        var handles = behind.Prepend(norm).SelectMany(m => m.parameters().Concat(Branches(m))).Select(p => p.Handle).ToHashSet();
        ClippedParameter[] parameters = [.. _parameters.Where(p => handles.Contains(p.Parameter.Handle))];
        if (parameters.Length == 0)
            return null;
        _marked.UnionWith(parameters);
        _undo.Add(() => set(null));
        Func<Tensor, Tensor> rule = null!;
        Action reached = () => Reached(parameters);
        rule = x =>
        {
            _needed(parameters);
            set(null);
            try
            {
                return is_grad_enabled() && x.requires_grad ? apply(MarkerFunction.apply(x, this, reached)) : apply(x);
            }
            finally
            {
                set(rule);
            }
        };
        return rule;
    }

    private static IEnumerable<TorchSharp.Modules.Parameter> Branches(nn.Module module) =>
        module.modules().Append(module).OfType<Projection>().Select(p => p.Branch).OfType<LowRankBranch>().SelectMany(b => new[] { b.A, b.B });

    private void Reached(ClippedParameter[] parameters)
    {
        try
        {
            _final(parameters);
        }
        catch (Exception e)
        {
            _failure ??= ExceptionDispatchInfo.Capture(e); // native code called
        }
    }

    /// <summary>x to x; its backward pass says that it is there.</summary>
    private sealed class MarkerFunction : autograd.SingleTensorFunction<MarkerFunction>
    {
        public override string Name => nameof(MarkerFunction);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_data("markers", vars[1]);
            ctx.save_data("reached", vars[2]);
            return ((Tensor)vars[0]).alias();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            var markers = (BackwardMarkers)ctx.get_data("markers");
            ((Action)ctx.get_data("reached"))();
            // Autograd has its own hold on what it was handed once it comes to the next marker.
            markers._handedOver?.Dispose();
            markers._handedOver = grad_output.DetachFromDisposeScope();
            return [grad_output, null!, null!];
        }
    }
}
