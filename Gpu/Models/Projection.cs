using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>A linear layer that a low-rank branch can be hung on: y = x W^T + b + (x A^T) B^T s.</summary>
public sealed class Projection : nn.Module
{
    /// <summary>W, [out, in].</summary>
    public Parameter Weight { get; }

    /// <summary>b, [out], or null.</summary>
    public Parameter? Bias { get; }

    /// <summary>The low-rank branch, or null. Its owner (a LoRA adapter) sets and disposes it; it is no part of the module's parameters.</summary>
    public LowRankBranch? Branch
    {
        get;
        set
        {
            if (value is not null && (value.InSize != InSize || value.OutSize != OutSize))
                throw new ArgumentException($"a branch for this projection must be {InSize} -> {OutSize}, got {value.InSize} -> {value.OutSize}");
            field = value;
        }
    }

    public long InSize { get; }

    public long OutSize { get; }

    /// <summary>What computes x W^T + b in place of the plain operator, for a trainer that needs each sample's gradient; null otherwise. The branch has its own.</summary>
    internal Func<Tensor, Tensor>? Rule { get; set; }

    /// <summary>The same for this layer and those that read the same input after it.</summary>
    internal Func<Tensor, IReadOnlyList<Tensor>>? SharedRule { get; set; }

    /// <param name="weight">[out, in]; this module takes ownership.</param>
    /// <param name="bias">[out], likewise; null for none.</param>
    internal Projection(Tensor weight, Tensor? bias = null) : this(WeightSource.Owned(weight), bias is null ? null : WeightSource.Owned(bias))
    {
        register_parameter("weight", Weight);
        if (Bias is not null)
            register_parameter("bias", Bias);
    }

    private Projection(Parameter weight, Parameter? bias) : base(nameof(Projection))
    {
        (OutSize, InSize) = (weight.shape[0], weight.shape[1]);
        (Weight, Bias) = (weight, bias);
    }

    /// <summary>A projection with another module's weight, as a head that is tied to the embedding; it has no parameters of its own.</summary>
    internal static Projection Tied(Parameter weight) => new(weight, (Parameter?)null);

    /// <summary>Several layers on one input, as query, key and value; the caller owns the results.</summary>
    internal static IReadOnlyList<Tensor> ApplyAll(Tensor x, params ReadOnlySpan<Projection> layers)
    {
        if (layers[0].SharedRule is { } rule)
            return rule(x);
        var results = new Tensor[layers.Length];
        for (int i = 0; i < layers.Length; i++)
            results[i] = layers[i].Apply(x);
        return results;
    }

    /// <summary>x [..., in] to y [..., out]; the caller owns the result.</summary>
    /// <exception cref="ArgumentException">The last dimension of <paramref name="x"/> does not fit (libtorch would abort the process).</exception>
    public Tensor Apply(Tensor x)
    {
        if (x.shape[^1] != InSize)
            throw new ArgumentException($"the last dimension of the input must be {InSize}, got {x.shape[^1]}");
        if (Branch is not { Enabled: true } branch)
            return Linear(x);
        using var scope = NewDisposeScope();
        var y = Linear(x);
        var update = branch.Apply(x);
        // A branch kept in float32 beside half-precision weights is added before the sum is rounded, as PEFT does.
        return (y.dtype == update.dtype ? y.add_(update) : (y.to_type(update.dtype) + update).to_type(y.dtype)).MoveToOuterDisposeScope();
    }

    private Tensor Linear(Tensor x) => Rule is { } rule ? rule(x) : nn.functional.linear(x, Weight, Bias);

    /// <summary>W, with the branch added when it is enabled, outside the autograd graph: [out, in], which the caller owns. Without a branch it shares W's memory.</summary>
    public Tensor Merged()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (Branch is not { Enabled: true } branch)
            return Weight.detach().MoveToOuterDisposeScope();
        var update = branch.B.detach().mm(branch.A.detach()).mul_(branch.Scale);
        return (update.dtype == Weight.dtype ? Weight.detach().clone().add_(update) : (Weight.detach().to_type(update.dtype) + update).to_type(Weight.dtype)).MoveToOuterDisposeScope();
    }
}

/// <summary>The trainable product B A of rank r beside a frozen weight (LoRA, arXiv:2106.09685).</summary>
/// <param name="A">[r, in].</param>
/// <param name="B">[out, r].</param>
/// <param name="Scale">alpha / r, or alpha / sqrt(r) where the adapter is rank-stabilised.</param>
public sealed record LowRankBranch(Parameter A, Parameter B, double Scale)
{
    /// <summary>Whether the branch adds to the layer's output.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The share of the branch's inputs that is set to zero, the others being scaled up; 0 outside training.</summary>
    public double Dropout { get; set; }

    public long InSize { get; } = A.shape[1];

    public long OutSize { get; } = B.shape[0];

    /// <summary>As <see cref="Projection.Rule"/>, for (x A^T) B^T s.</summary>
    internal Func<Tensor, Tensor>? Rule { get; set; }

    /// <summary>(drop(x) A^T) B^T s in the branch's own type; the caller owns the result.</summary>
    internal Tensor Apply(Tensor x)
    {
        using var scope = NewDisposeScope();
        var input = x.dtype == A.dtype ? x : x.to_type(A.dtype);
        if (Dropout > 0)
            input = nn.functional.dropout(input, Dropout, training: true);
        return (Rule is { } rule ? rule(input) : nn.functional.linear(nn.functional.linear(input, A), B).mul_(Scale)).MoveToOuterDisposeScope();
    }
}
