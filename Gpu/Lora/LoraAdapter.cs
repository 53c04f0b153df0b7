using Chorus.Gpu.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Lora;

/// <summary>A LoRA adapter attached to a model: it owns the low-rank branches and takes them off when disposed.</summary>
/// <remarks>
/// A starts kaiming-uniform (bound 1 / sqrt(in)) and B zero, so a fresh adapter changes nothing. While it is attached the
/// model's own weights are frozen; disposing restores which of them asked for gradients. Beside half-precision weights the
/// branches are float32, as PEFT keeps them: small steps would be lost in bfloat16. The model outlives the adapter.
/// </remarks>
public sealed partial class LoraAdapter : IDisposable
{
    private readonly CausalModel _model;
    private readonly List<(string Name, Projection Projection, LowRankBranch Branch)> _branches;
    private readonly List<Parameter> _unfrozen;
    private List<Tensor>? _unmerged; // the weights as they were, while merged
    private bool _disposed;

    private LoraAdapter(CausalModel model, LoraSettings settings, List<(string, Projection, LowRankBranch)> branches)
    {
        _model = model;
        Settings = settings;
        _branches = branches;
        _unfrozen = [.. model.parameters().Where(p => p.requires_grad)];
        foreach (var parameter in _unfrozen)
            parameter.requires_grad = false;
        Parameters = [.. _branches.SelectMany(b => new[] { b.Branch.A, b.Branch.B })];
        NamedParameters = [.. _branches.SelectMany(b => new[] { ($"{b.Name}.lora_A.weight", b.Branch.A), ($"{b.Name}.lora_B.weight", b.Branch.B) })];
        Dropout = settings.Dropout;
    }

    public LoraSettings Settings { get; }

    /// <summary>A and B of every adapted projection, by layer, then in the order of the forward pass.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary><see cref="Parameters"/> with names such as model.layers.0.self_attn.q_proj.lora_A.weight.</summary>
    public IReadOnlyList<(string Name, Parameter Parameter)> NamedParameters { get; }

    /// <summary>Whether the adapter adds to the model's output; off, the model is the base model again.</summary>
    /// <exception cref="InvalidOperationException">Set while merged.</exception>
    public bool Enabled
    {
        get;
        set
        {
            if (IsMerged)
                throw new InvalidOperationException("the adapter is merged into the weights; unmerge it first");
            field = value;
            foreach (var (_, _, branch) in _branches)
                branch.Enabled = value;
        }
    } = true;

    /// <summary>The share of a branch's inputs that is dropped while <see cref="Training"/>; at first that of the settings.</summary>
    public double Dropout
    {
        get;
        set
        {
            field = value is >= 0 and < 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"Dropout must be in [0, 1), got {value}");
            SetDropout();
        }
    }

    /// <summary>Whether inputs are dropped; a trainer turns it on while it computes what it learns from.</summary>
    public bool Training
    {
        get;
        set
        {
            field = value;
            SetDropout();
        }
    }

    /// <summary>Whether the update is in the model's own weights now.</summary>
    public bool IsMerged => _unmerged is not null;

    /// <summary>Hangs fresh branches on the model's projections and freezes its own weights.</summary>
    /// <param name="model">Has no adapter yet.</param>
    /// <param name="s">Rank, scale and which projections.</param>
    /// <param name="seed">Of the adapter's own generator: one seed gives one A on any device.</param>
    /// <exception cref="InvalidOperationException">The model has an adapter already.</exception>
    /// <exception cref="ArgumentException">No layer of the model is a target.</exception>
    public static LoraAdapter Attach(CausalModel model, LoraSettings s, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(s);
        if (model.Projections.Any(p => p.Projection.Branch is not null))
            throw new InvalidOperationException("the model has an adapter already; dispose that one first");
        if (!model.Projections.Any(p => s.Targets(p.Name, p.Projection == model.Output)))
        {
            var names = model.Projections.Select(p => p.Name[(p.Name.LastIndexOf('.') + 1)..]).Distinct();
            throw new ArgumentException($"the adapter's target_modules ({s.TargetPattern ?? string.Join(", ", s.TargetModules)}) name no layer of this {model.Shape.Family} model, which has {string.Join(", ", names)}");
        }
        var branches = new List<(string, Projection, LowRankBranch)>();
        using var generator = new Generator(seed, CPU);
        foreach (var (name, projection) in model.Projections)
        {
            if (!s.Targets(name, projection == model.Output))
                continue;
            projection.Branch = NewBranch(projection, s, generator, model.Device);
            branches.Add((name, projection, projection.Branch));
        }
        return new LoraAdapter(model, s, branches);
    }

    /// <summary>Attaches a saved adapter with the settings that it was saved with.</summary>
    /// <exception cref="InvalidDataException">It is of a kind that is not computed here, or of another model; the message names what.</exception>
    /// <exception cref="InvalidOperationException">The model has an adapter already.</exception>
    public static LoraAdapter Open(CausalModel model, string directory)
    {
        LoraAdapter adapter;
        try
        {
            adapter = Attach(model, ReadSettings(directory), 0);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{directory}: {e.Message}", e);
        }
        try
        {
            adapter.Load(directory);
            return adapter;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    /// <summary>Back to a fresh adapter: A drawn again from <paramref name="seed"/>, B zero.</summary>
    public void Reset(ulong seed)
    {
        RequireUnmerged();
        using var generator = new Generator(seed, CPU);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (_, projection, branch) in _branches)
        {
            branch.A.copy_(DrawA(projection.InSize, Settings.Rank, generator));
            branch.B.zero_();
        }
    }

    /// <summary>Puts the update into the model's own weights, where it costs nothing more. The weights as they were are kept for <see cref="Unmerge"/>.</summary>
    /// <exception cref="InvalidOperationException">Merged already, or switched off, or the adapted head is the embedding too.</exception>
    public void Merge()
    {
        RequireUnmerged();
        if (!Enabled)
            throw new InvalidOperationException("the adapter is switched off; switch it on before it is merged");
        if (_model.Output.Branch is not null && _model.named_parameters().All(p => p.name != "lm_head.weight"))
            throw new InvalidOperationException("the adapted head is tied to the embedding, which merging would change too");
        using var noGrad = no_grad();
        var before = new List<Tensor>();
        foreach (var (_, projection, branch) in _branches)
        {
            using var scope = NewDisposeScope();
            before.Add(projection.Weight.detach().clone().DetachFromDisposeScope());
            projection.Weight.copy_(projection.Merged());
            branch.Enabled = false;
        }
        _unmerged = before;
    }

    /// <summary>Takes the update out of the weights again: they are bit for bit what they were.</summary>
    /// <exception cref="InvalidOperationException">Not merged.</exception>
    public void Unmerge()
    {
        if (_unmerged is null)
            throw new InvalidOperationException("the adapter is not merged");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (var ((_, projection, branch), weight) in _branches.Zip(_unmerged))
        {
            projection.Weight.copy_(weight);
            weight.Dispose();
            branch.Enabled = true;
        }
        _unmerged = null;
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (IsMerged)
            Unmerge();
        foreach (var (_, projection, branch) in _branches)
        {
            projection.Branch = null;
            branch.A.Dispose();
            branch.B.Dispose();
        }
        foreach (var parameter in _unfrozen.Where(p => !p.IsInvalid))
            parameter.requires_grad = true;
    }

    private void RequireUnmerged()
    {
        if (IsMerged)
            throw new InvalidOperationException("the adapter is merged into the weights; unmerge it first");
    }

    private void SetDropout()
    {
        foreach (var (_, _, branch) in _branches)
            branch.Dropout = Training ? Dropout : 0;
    }

    private static LowRankBranch NewBranch(Projection projection, LoraSettings s, Generator generator, Device device)
    {
        using var scope = NewDisposeScope();
        var type = projection.Weight.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? ScalarType.Float32 : projection.Weight.dtype;
        var a = DrawA(projection.InSize, s.Rank, generator).to(type, device).DetachFromDisposeScope();
        var b = zeros([projection.OutSize, s.Rank], type, device).DetachFromDisposeScope();
        return new LowRankBranch(WeightSource.Owned(a), WeightSource.Owned(b), s.Scale);
    }

    // kaiming_uniform with a = sqrt(5), as PEFT has it: U(-1/sqrt(in), 1/sqrt(in)).
    private static Tensor DrawA(long inSize, int rank, Generator generator)
    {
        double bound = 1 / Math.Sqrt(inSize);
        return rand([rank, inSize], generator: generator).mul_(2 * bound).sub_(bound);
    }
}
