using Chorus.Gpu.Lora;
using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.DpSgd;

/// <summary>Hangs the per-sample rules on a model's layers, and takes them off when disposed.</summary>
internal sealed class PrivateLayers : IDisposable
{
    private readonly CausalModel _model;
    private readonly BackwardPass _pass;
    private readonly Dictionary<IntPtr, ClippedParameter> _parameters = [];
    private readonly List<ClippingGroup> _groups = [];
    private readonly HashSet<ClippedParameter> _covered = [];
    private readonly List<Action> _undo = [];

    /// <param name="model">Its parameters that ask for gradients are trained, with those of <paramref name="adapter"/>.</param>
    /// <param name="shareInputs">Whether layers that read one input are one clipping group.</param>
    /// <exception cref="NotSupportedException">A layer has no rule, or mixes samples; the message names it.</exception>
    public PrivateLayers(CausalModel model, LoraAdapter? adapter, BackwardPass pass, bool shareInputs)
    {
        (_model, _pass) = (model, pass);
        Check(model);
        Parameters = TrainedParameters(model, adapter);
        foreach (var parameter in Parameters)
            _parameters[parameter.Parameter.Handle] = parameter;
        try
        {
            Cover(shareInputs);
            if (Parameters.FirstOrDefault(p => !_covered.Contains(p)) is { } left)
                throw new NotSupportedException($"{left.Name} is to be trained, but no rule gives its per-sample gradients: freeze it (requires_grad = false)");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What is trained, in the order of the model.</summary>
    public IReadOnlyList<ClippedParameter> Parameters { get; }

    public IReadOnlyList<ClippingGroup> Groups => _groups;

    /// <summary>The parameters that ask for gradients, in the order of the model, then those of the adapter.</summary>
    public static IReadOnlyList<ClippedParameter> TrainedParameters(CausalModel model, LoraAdapter? adapter)
    {
        var named = model.named_parameters().Select(p => (Name: p.name, Parameter: p.parameter)).Concat(adapter?.NamedParameters ?? []);
        ClippedParameter[] trained = [.. named.Where(p => p.Parameter.requires_grad).Select((p, i) => new ClippedParameter(p.Name, p.Parameter, (uint)i))];
        return trained.Length > 0 ? trained : throw new ArgumentException("the model has nothing to train: no parameter asks for gradients");
    }

    /// <summary>Refuses what cannot be trained with a norm for each sample.</summary>
    /// <exception cref="NotSupportedException">The message names the layer.</exception>
    public static void Check(nn.Module model) => Check(model, "the model");

    private static void Check(nn.Module module, string name)
    {
        var type = module.GetType();
        if (type.Name.StartsWith("BatchNorm", StringComparison.Ordinal))
            throw new NotSupportedException($"{name} ({type.Name}) mixes the samples of a batch, so that no sample has a gradient of its own: replace it by a norm over channels (RmsNorm, Gpt2Norm)");
        if (type.Assembly != typeof(PrivateLayers).Assembly && !type.Name.StartsWith("ModuleList", StringComparison.Ordinal))
            throw new NotSupportedException($"{name} ({type.Name}) has no rule for per-sample gradients: build the model from the layers of Chorus.Gpu.Models");
        foreach (var (child, part) in module.named_children())
            Check(part, child);
    }

    public void Dispose()
    {
        foreach (var undo in _undo)
            undo();
        _undo.Clear();
    }

    private void Cover(bool shareInputs)
    {
        bool tied = _model.Output.Weight.Handle == _model.Embedding.Handle;
        Embedding(tied);
        if (_model is Gpt2Model gpt2)
        {
            if (Trained(gpt2.Positions) is { } positions)
                Set(Group(positions.Name, positions), (g, n) => gpt2.PositionRule = new PositionRule(_pass, g, positions, n).ApplyOne, () => gpt2.PositionRule = null);
            foreach (var layer in gpt2.Layers)
            {
                Norm(layer.FirstNorm);
                Norm(layer.SecondNorm);
            }
            Norm(gpt2.FinalNorm);
        }
        else if (_model is LlamaModel llama)
        {
            foreach (var layer in llama.Layers)
            {
                Norm(layer.InputNorm);
                Norm(layer.PostAttentionNorm);
                if (shareInputs)
                {
                    Shared(layer.Attention.Query, layer.Attention.Key, layer.Attention.Value);
                    Shared(layer.Mlp.Gate, layer.Mlp.Up);
                }
            }
            Norm(llama.FinalNorm);
        }
        foreach (var (name, projection) in _model.Projections)
        {
            if (!(tied && projection == _model.Output))
                Linear(name, projection);
            LowRank(name, projection);
        }
    }

    private void Embedding(bool tied)
    {
        if (Trained(_model.Embedding) is not { } weight)
            return;
        var group = Group(weight.Name, weight);
        Set(group, (g, n) => _model.EmbeddingRule = new EmbeddingRule(_pass, g, weight, tied, n).ApplyOne, () => _model.EmbeddingRule = null);
        if (tied)
            Set(group, (g, _) => _model.Output.Rule = new TiedHeadRule(_pass, g, _model.Output, weight, "the tied head").ApplyOne, () => _model.Output.Rule = null);
    }

    private void Norm(RmsNorm norm)
    {
        if (Trained(norm.Weight) is { } weight)
            Set(Group(weight.Name, weight), (g, n) => norm.Rule = new NormRule(_pass, g, norm.Weight, null, norm.Epsilon, weight, null, n).ApplyOne, () => norm.Rule = null);
    }

    private void Norm(Gpt2Norm norm)
    {
        var (weight, bias) = (Trained(norm.Weight), Trained(norm.Bias));
        if ((weight ?? bias) is { } first)
            Set(Group(first.Name, weight, bias), (g, n) => norm.Rule = new NormRule(_pass, g, norm.Weight, norm.Bias, norm.Epsilon, weight, bias, n).ApplyOne, () => norm.Rule = null);
    }

    // Only where all of them train and none has a branch: then one backward function sees all their gradients.
    private void Shared(params Projection[] layers)
    {
        if (layers.Any(l => Trained(l.Weight) is null || l.Branch is { Enabled: true }))
            return;
        var parts = layers.Select(l => (l, Trained(l.Weight), l.Bias is null ? null : Trained(l.Bias))).ToArray();
        Set(
            Group(string.Join(" + ", parts.Select(p => p.Item2!.Name)), [.. parts.SelectMany(p => new[] { p.Item2, p.Item3 })]),
            (g, n) => layers[0].SharedRule = new LinearRule(_pass, g, parts, n).Apply, () => layers[0].SharedRule = null);
    }

    private void Linear(string name, Projection projection)
    {
        var (weight, bias) = (Trained(projection.Weight), projection.Bias is null ? null : Trained(projection.Bias));
        if ((weight ?? bias) is { } first && !_covered.Contains(first))
            Set(Group(name, weight, bias), (g, n) => projection.Rule = new LinearRule(_pass, g, [(projection, weight, bias)], n).ApplyOne, () => projection.Rule = null);
    }

    private void LowRank(string name, Projection projection)
    {
        if (projection.Branch is not { } branch || (Trained(branch.A), Trained(branch.B)) is not ({ } a, { } b))
            return;
        Set(Group($"{name}.lora", a, b), (g, n) => branch.Rule = new LowRankRule(_pass, g, branch, a, b, n).ApplyOne, () => branch.Rule = null);
    }

    private ClippedParameter? Trained(Parameter parameter) => _parameters.GetValueOrDefault(parameter.Handle);

    private ClippingGroup Group(string name, params ClippedParameter?[] parameters)
    {
        var group = new ClippingGroup(name, [.. parameters.Where(p => p is not null).Select(p => p!)]);
        _covered.UnionWith(group.Parameters);
        _groups.Add(group);
        return group;
    }

    private void Set(ClippingGroup group, Action<ClippingGroup, string> set, Action unset)
    {
        set(group, group.Name);
        _undo.Add(unset);
    }
}
