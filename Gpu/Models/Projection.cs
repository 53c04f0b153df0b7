using TorchSharp;
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
        var shared = layers[0].SharedRule?.Invoke(x);
        var results = new Tensor[layers.Length];
        for (int i = 0; i < layers.Length; i++)
            results[i] = shared is null ? layers[i].Apply(x) : layers[i].Unpadded(shared[i]);
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

    private Tensor Linear(Tensor x) => Rule is { } rule ? Unpadded(rule(x)) : Product(x, Weight, Bias);

    private Tensor Unpadded(Tensor y)
    {
        if (y.shape[^1] == OutSize)
            return y;
        using (y)
            return y.narrow(-1, 0, OutSize);
    }

    /// <summary>x [..., P] to [..., D], the bias added as the product is stored: libtorch's own function does that for matrices only.</summary>
    internal static Tensor Product(Tensor x, Tensor weight, Tensor? bias)
    {
        if (bias is null || x.dim() == 2)
            return nn.functional.linear(x, weight, bias);
        using var scope = NewDisposeScope();
        return nn.functional.linear(x.reshape(-1, x.shape[^1]), weight, bias).view([.. x.shape.AsSpan(0, x.shape.Length - 1), weight.shape[0]]).MoveToOuterDisposeScope();
    }

    /// <summary>The weight with as many rows of zeros as make their number a multiple of 8: GPUs multiply others several times slower. The caller owns it.</summary>
    internal Tensor PaddedWeight()
    {
        long missing = (Alignment - OutSize % Alignment) % Alignment;
        return Weight.device_type == DeviceType.CUDA && missing > 0 && Bias is null ? nn.functional.pad(Weight, [0, 0, 0, missing]) : Weight.alias();
    }

    /// <summary>x to at least the layer's outputs, beyond them zeros, where <see cref="PaddedWeight"/> has them; no bias, no branch.</summary>
    internal Tensor ApplyPadded(Tensor x)
    {
        if (Rule is { } rule)
            return rule(x);
        using var weight = PaddedWeight();
        return nn.functional.linear(x, weight);
    }

    private const int Alignment = 8;

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
