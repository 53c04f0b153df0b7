using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Chorus.Gpu.Models;

/// <summary>A linear layer without bias that a low-rank branch can be hung on: y = x W^T + (x A^T) B^T s.</summary>
public sealed class Projection : nn.Module
{
    /// <summary>W, [out, in].</summary>
    public Parameter Weight { get; }

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

    /// <param name="weight">[out, in]; this module takes ownership.</param>
    internal Projection(Tensor weight) : base(nameof(Projection))
    {
        (OutSize, InSize) = (weight.shape[0], weight.shape[1]);
        Weight = (Parameter)new Parameter(weight).DetachFromDisposeScope();
        register_parameter("weight", Weight);
    }

    /// <summary>x [..., in] to y [..., out]; the caller owns the result.</summary>
    /// <exception cref="ArgumentException">The last dimension of <paramref name="x"/> does not fit (libtorch would abort the process).</exception>
    public Tensor Apply(Tensor x)
    {
        if (x.shape[^1] != InSize)
            throw new ArgumentException($"the last dimension of the input must be {InSize}, got {x.shape[^1]}");
        if (Branch is not { Enabled: true } branch)
            return nn.functional.linear(x, Weight);
        using var scope = NewDisposeScope();
        var low = nn.functional.linear(x, branch.A);
        return nn.functional.linear(x, Weight).add_(nn.functional.linear(low, branch.B).mul_(branch.Scale)).MoveToOuterDisposeScope();
    }

    /// <summary>W, with the branch added when it is enabled: a fresh tensor [out, in] outside the autograd graph, which the caller owns.</summary>
    public Tensor Merged()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var merged = Weight.detach().clone();
        if (Branch is { Enabled: true } branch)
            merged.add_(branch.B.detach().mm(branch.A.detach()).mul_(branch.Scale));
        return merged.MoveToOuterDisposeScope();
    }
}

/// <summary>The trainable product B A of rank r beside a frozen weight (LoRA, arXiv:2106.09685).</summary>
/// <param name="A">[r, in].</param>
/// <param name="B">[out, r].</param>
/// <param name="Scale">alpha / r.</param>
public sealed record LowRankBranch(Parameter A, Parameter B, double Scale)
{
    /// <summary>Whether the branch adds to the layer's output.</summary>
    public bool Enabled { get; set; } = true;

    public long InSize { get; } = A.shape[1];

    public long OutSize { get; } = B.shape[0];
}
