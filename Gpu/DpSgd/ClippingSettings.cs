namespace Chorus.Gpu.DpSgd;

/// <summary>What is clipped to what.</summary>
public enum ClippingKind
{
    /// <summary>Each group of parameters to its own C_l, with sum of C_l^2 = C^2: in one backward pass.</summary>
    PerLayer,

    /// <summary>The whole gradient to C: what the layers need is kept until the norm is known.</summary>
    Flat,

    /// <summary>As per layer, but scaled to just below C_l whatever its size (AUTO-S).</summary>
    AutoS,
}

/// <summary>How C is divided among the groups.</summary>
public enum ThresholdChoice
{
    /// <summary>C_l = C / sqrt(L).</summary>
    Equal,

    /// <summary>C_l = C sqrt(d_l / d), d_l being the group's weights.</summary>
    ByDimension,

    /// <summary>Begins as equal; then each moves towards a quantile of its group's norms, which is estimated privately and has a charge of its own.</summary>
    Adaptive,
}

/// <summary>How norms and weighted sums are computed.</summary>
public enum DpMethod
{
    /// <summary>In the backward pass, with nothing kept per sample.</summary>
    Fused,

    /// <summary>Every sample's gradient of every layer is made and kept (as Opacus does): a reference.</summary>
    Explicit,

    /// <summary>Norms in a first backward pass, a second one of the reweighted loss (arXiv:2009.03106): a reference; flat clipping only.</summary>
    Ghost,

    /// <summary>Inputs and output gradients kept, [B, T, T] Gram matrices written to memory (arXiv:2210.00038): a reference.</summary>
    BookKeeping,

    /// <summary>No privacy: ordinary gradients.</summary>
    None,
}

/// <summary>How a sample's gradient is bounded.</summary>
public sealed record ClippingSettings
{
    public ClippingKind Kind { get; init; }

    /// <summary>C: the most that one sample moves the sum of gradients, in L2 norm over all parameters.</summary>
    public double Threshold
    {
        get;
        init => field = value >= 1e-6 && double.IsFinite(value) ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"the clipping threshold must be in [1e-6, infinity), got {value}");
    } = 1;

    public ThresholdChoice Thresholds { get; init; }

    /// <summary>Adaptive: the share of samples that is to lie within a group's threshold.</summary>
    public double Quantile
    {
        get;
        init => field = value is > 0 and < 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"the quantile must be in (0, 1), got {value}");
    } = 0.5;

    /// <summary>Adaptive: by how much the logarithm of a threshold moves at most in a step.</summary>
    public double QuantileRate
    {
        get;
        init => field = value is > 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), $"the quantile's rate must be in (0, 1], got {value}");
    } = 0.2;

    /// <summary>Adaptive: noise on the counts over their sensitivity, sqrt(L) / 2.</summary>
    public double QuantileNoiseMultiplier
    {
        get;
        init => field = value > 0 && double.IsFinite(value) ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"the quantile's noise multiplier must be above 0, got {value}");
    } = 10;

    /// <summary>Whether layers that read one input (query, key, value; gate, up) are one group.</summary>
    public bool ShareInputs { get; init; } = true;

    /// <summary>Forces how linear layers' norms are found.</summary>
    public NormMethod NormMethod { get; init; }

    /// <summary>How the kernels weigh a sample.</summary>
    public ClipRule Rule => Kind == ClippingKind.AutoS ? ClipRule.AutoS : ClipRule.Threshold;
}
