using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Lora;

/// <summary>A LoRA adapter attached to a model: it owns the low-rank branches and takes them off when disposed.</summary>
/// <remarks>
/// A starts kaiming-uniform (bound 1 / sqrt(in)) and B zero, so a fresh adapter changes nothing. While it is attached the
/// model's own weights are frozen; disposing restores which of them asked for gradients. The model outlives the adapter.
/// </remarks>
public sealed partial class LoraAdapter : IDisposable
{
    private readonly LlamaModel _model;
    private readonly List<(string Name, Projection Projection, LowRankBranch Branch)> _branches;
    private readonly List<Parameter> _unfrozen;
    private bool _disposed;

    private LoraAdapter(LlamaModel model, LoraSettings settings, List<(string, Projection, LowRankBranch)> branches)
    {
        _model = model;
        Settings = settings;
        _branches = branches;
        _unfrozen = [.. model.parameters().Where(p => p.requires_grad)];
        foreach (var parameter in _unfrozen)
            parameter.requires_grad = false;
        Parameters = [.. _branches.SelectMany(b => new[] { b.Branch.A, b.Branch.B })];
        NamedParameters = [.. _branches.SelectMany(b => new[] { ($"{b.Name}.lora_A.weight", b.Branch.A), ($"{b.Name}.lora_B.weight", b.Branch.B) })];
    }

    public LoraSettings Settings { get; }

    /// <summary>A and B of every adapted projection, by layer, then in the order of the forward pass.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary><see cref="Parameters"/> with names such as model.layers.0.self_attn.q_proj.lora_A.weight.</summary>
    public IReadOnlyList<(string Name, Parameter Parameter)> NamedParameters { get; }

    /// <summary>Whether the adapter adds to the model's output; off, the model is the base model again.</summary>
    public bool Enabled
    {
        get;
        set
        {
            field = value;
            foreach (var (_, _, branch) in _branches)
                branch.Enabled = value;
        }
    } = true;

    /// <summary>Hangs fresh branches on the model's projections and freezes its own weights.</summary>
    /// <param name="model">Has no adapter yet.</param>
    /// <param name="s">Rank, scale and which projections.</param>
    /// <param name="seed">Of the adapter's own generator: one seed gives one A on any device.</param>
    /// <exception cref="InvalidOperationException">The model has an adapter already.</exception>
    public static LoraAdapter Attach(LlamaModel model, LoraSettings s, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(s);
        if (model.Layers.SelectMany(l => l.Projections).Any(p => p.Projection.Branch is not null))
            throw new InvalidOperationException("the model has an adapter already; dispose that one first");
        var branches = new List<(string, Projection, LowRankBranch)>();
        using var generator = new Generator(seed, CPU);
        for (int layer = 0; layer < model.Layers.Count; layer++)
        {
            foreach (var (name, projection) in model.Layers[layer].Projections)
            {
                if (!s.TargetModules.Contains(name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..]))
                    continue;
                projection.Branch = NewBranch(projection, s, generator, model.Device);
                branches.Add(($"model.layers.{layer}.{name}", projection, projection.Branch));
            }
        }
        return new LoraAdapter(model, s, branches);
    }

    /// <summary>Back to a fresh adapter: A drawn again from <paramref name="seed"/>, B zero.</summary>
    public void Reset(ulong seed)
    {
        using var generator = new Generator(seed, CPU);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (_, projection, branch) in _branches)
        {
            branch.A.copy_(DrawA(projection.InSize, Settings.Rank, generator));
            branch.B.zero_();
        }
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (var (_, projection, branch) in _branches)
        {
            projection.Branch = null;
            branch.A.Dispose();
            branch.B.Dispose();
        }
        foreach (var parameter in _unfrozen.Where(p => !p.IsInvalid))
            parameter.requires_grad = true;
    }

    private static LowRankBranch NewBranch(Projection projection, LoraSettings s, Generator generator, Device device)
    {
        using var scope = NewDisposeScope();
        var type = projection.Weight.dtype;
        var a = DrawA(projection.InSize, s.Rank, generator).to(type, device).DetachFromDisposeScope();
        var b = zeros([projection.OutSize, s.Rank], type, device).DetachFromDisposeScope();
        return new LowRankBranch((Parameter)new Parameter(a).DetachFromDisposeScope(), (Parameter)new Parameter(b).DetachFromDisposeScope(), s.Scale);
    }

    // kaiming_uniform with a = sqrt(5), as PEFT has it: U(-1/sqrt(in), 1/sqrt(in)).
    private static Tensor DrawA(long inSize, int rank, Generator generator)
    {
        double bound = 1 / Math.Sqrt(inSize);
        return rand([rank, inSize], generator: generator).mul_(2 * bound).sub_(bound);
    }
}
